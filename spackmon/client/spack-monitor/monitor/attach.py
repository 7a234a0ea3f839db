"""How a running install is watched, by what Spack 0.22 to 1.2 have in common.

In the parent, the old installer tells the fates of its tasks to methods of its own, and the new one tells
states to its display. In the builds, which are forked from it, each phase says that it starts and that it is
done. Where builds are not forked (macOS, Python 3.14), phases come from the new installer's states, or with
the end of the build from what it left.

A version that has something else instead is watched as far as the rest goes.
"""

import functools
import importlib
import multiprocessing
import sys
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

import spack.cmd
import spack.environment

from . import facts
from .journal import Journal
from .phases import PhaseWatch

_INSTALLERS = ("spack.installer", "spack.new_installer")
# States of the new installer that are no phases of a package.
_NO_PHASES = frozenset(
    (
        "starting",
        "fetching from build cache",
        "relocating",
        "no binary available",
        "staging",
        "rewiring",
        "finished",
        "failed",
    )
)


class Watch:
    """Watches every installer that runs within the block."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._undo: List[Tuple[Any, str, Any]] = []

    def __enter__(self) -> "Watch":
        for attach in (self._watch_installers, self._watch_phases):
            self._journal.guard(attach)()
        return self

    def __exit__(self, *_: Any) -> None:
        while self._undo:
            owner, name, original = self._undo.pop()
            setattr(owner, name, original)

    def ended_with(self, error: BaseException, words: List[str]) -> None:
        """The command ended so; if it was the concretizer that found no way, that is reported."""
        self._journal.guard(_report_not_concretized)(self._journal, error, words)

    def _watch_installers(self) -> None:
        seen = set()
        for module_name in _INSTALLERS:
            try:
                module = importlib.import_module(module_name)
            except Exception as error:  # a version without it, or a system that it is not for
                if not isinstance(error, ImportError):
                    self._journal.problem(module_name, error)
                continue
            installer = getattr(module, "PackageInstaller", None)
            if installer is not None and installer not in seen:
                seen.add(installer)
                self._replace(installer, "install", self._install)
                self._watch_tasks(module, installer)

    def _watch_tasks(self, module: Any, installer: Any) -> None:
        """The old installer: a task starts, succeeds, or fails with all that depend on it."""
        self._replace(installer, "_install_task", self._task_of_installer_starts)
        self._replace(installer, "_update_installed", self._task_installed)
        self._replace(installer, "_update_failed", self._task_failed)
        for name in ("Task", "BuildTask", "RewireTask"):
            task_class = getattr(module, name, None)
            for method in ("start", "execute"):
                if task_class is not None:
                    self._replace(task_class, method, self._task_starts)

    def _watch_phases(self) -> None:
        phase_class = importlib.import_module("spack.builder").InstallationPhase
        phases = PhaseWatch(self._journal)
        # Not the execution itself: whoever reads the traceback of a failed build shall not find us in it.
        self._replace(phase_class, "_on_phase_start", phases.starts)
        self._replace(phase_class, "_on_phase_exit", phases.exits)

    def _replace(self, owner: Any, name: str, around: Callable[..., Any]) -> None:
        """Put `around(original, *arguments)` in the place of a method of the class's own, if it has that."""
        original = vars(owner).get(name)
        if not callable(original):
            return

        def watched(*arguments: Any, **named: Any) -> Any:
            return around(original, *arguments, **named)

        self._undo.append((owner, name, original))
        setattr(owner, name, functools.wraps(original)(watched))

    def _install(self, original: Any, installer: Any, *arguments: Any, **named: Any) -> Any:
        if _is_bootstrapping():
            with self._journal.muted():
                return original(installer, *arguments, **named)
        packages = self._journal.guard(_watched)(self._journal, installer)
        try:
            return original(installer, *arguments, **named)
        except BaseException:
            if packages is not None:
                self._journal.guard(lambda: self._journal.broken_off(packages()))()
            raise

    def _task_of_installer_starts(self, original: Any, installer: Any, task: Any, *arguments: Any) -> Any:
        self._task_starting(task)
        return original(installer, task, *arguments)

    def _task_starts(self, original: Any, task: Any, *arguments: Any, **named: Any) -> Any:
        self._task_starting(task)
        return original(task, *arguments, **named)

    def _task_starting(self, task: Any) -> None:
        self._journal.guard(_report_started)(self._journal, task)

    def _task_installed(self, original: Any, installer: Any, task: Any, *arguments: Any, **named: Any) -> Any:
        returned = original(installer, task, *arguments, **named)
        self._journal.guard(_report_installed)(self._journal, task.pkg.spec)
        return returned

    def _task_failed(self, original: Any, installer: Any, task: Any, *arguments: Any, **named: Any) -> Any:
        error = named.get("exc") or (arguments[1] if len(arguments) > 1 else None)
        self._journal.guard(_report_failed)(self._journal, task.pkg.spec, error)
        return original(installer, task, *arguments, **named)


class _States:
    """The new installer: what it tells its display of each build."""

    def __init__(self, journal: Journal, installer: Any) -> None:
        self._journal, self._installer = journal, installer
        self.specs = dict(installer.build_graph.nodes)
        self._phases: Dict[str, Tuple[str, float]] = {}
        self._reports_phases = not _are_builds_forked()

    def added(self, spec: Any, *_: Any, **named: Any) -> None:
        """Something is shown; a build of ours if there is a way to control it."""
        if named.get("control_w_conn") is not None:
            self._journal.started(spec)

    def changed(self, spec_hash: str, state: str) -> None:
        spec = self.specs.get(spec_hash) or self._installer.build_graph.nodes.get(spec_hash)
        if spec is None:
            return
        self.specs[spec_hash] = spec
        if self._reports_phases:
            self._journal.guard(self._phase_changed)(spec, state)
        if state == "failed":
            self._journal.failed(spec, None, self._log_path(spec_hash))
        elif state == "finished":
            # One that was never in any other state was installed by somebody else, or is external.
            self._journal.succeeded(spec)
        else:
            self._journal.started(spec)

    def _phase_changed(self, spec: Any, state: str) -> None:
        """What was a phase until now is over; which part of the log is its own cannot be told from here."""
        spec_hash = spec.dag_hash()
        if spec_hash in self._phases:
            name, began_at = self._phases.pop(spec_hash)
            status = "ERROR" if state == "failed" else "SUCCESS"
            phase = {"name": name, "status": status, "duration_seconds": time.time() - began_at}
            self._journal.phase(spec_hash, phase, until=None)
        if state not in _NO_PHASES and not state.startswith("stopped "):
            self._phases[spec_hash] = state, time.time()

    def _log_path(self, spec_hash: str) -> Optional[str]:
        known = getattr(self._installer, "log_paths", {}).get(spec_hash)
        if known is None:
            running = getattr(self._installer, "running_builds", {})
            for build in running.values():
                if build.spec.dag_hash() == spec_hash:
                    known = getattr(build, "log_path", None)
        return None if known is None else str(known)


def _watched(journal: Journal, installer: Any) -> Callable[[], List[Any]]:
    """Begin to watch one installer; what tells afterwards which packages it had to install."""
    if hasattr(installer, "build_graph"):
        journal.begin(list(installer.build_graph.nodes.values()))
        states = _States(journal, installer)
        for display_name, method in (("build_status", "update_state"), ("ui", "on_state_changed")):
            display = getattr(installer, display_name, None)
            if hasattr(display, method):
                _listen(display, method, journal.guard(states.changed))
            if hasattr(display, "add_build"):
                _listen(display, "add_build", journal.guard(states.added))
        return lambda: list(states.specs.values())
    journal.begin([request.pkg.spec for request in installer.build_requests])
    started = journal.was_started
    return lambda: (
        [
            spec
            for request in installer.build_requests
            for spec in request.pkg.spec.traverse()
            if started(spec.dag_hash())
        ]
        + [task.pkg.spec for task in installer.build_tasks.values()]
    )


def _listen(display: Any, method: str, listener: Callable[[str, str], None]) -> None:
    original = getattr(display, method)

    def heard(*arguments: Any, **named: Any) -> Any:
        listener(*arguments, **named)
        return original(*arguments, **named)

    setattr(display, method, heard)


def _report_started(journal: Journal, task: Any) -> None:
    spec = task.pkg.spec
    # What another process installed in the meantime also comes by, but is not built.
    if not spec.installed or spec.dag_hash() in (getattr(task.request, "overwrite", None) or ()):
        journal.started(spec)


def _report_installed(journal: Journal, spec: Any) -> None:
    # `--until` ends a task without an install.
    if spec.installed:
        journal.succeeded(spec)
    else:
        journal.cancelled(spec)


def _report_failed(journal: Journal, spec: Any, error: Optional[BaseException]) -> None:
    if error is not None or journal.was_started(spec.dag_hash()):
        journal.failed(spec, facts.message_of(error) if error is not None else None, None)
    else:
        # Its failure is another's: of what it depends on, or of a process that tried the same before.
        journal.cancelled(spec)


def _report_not_concretized(journal: Journal, error: BaseException, words: List[str]) -> None:
    """Every version has its own errors for that; all are raised below a function of the same modules."""
    traceback = error.__traceback__
    while traceback is not None:
        module = str(traceback.tb_frame.f_globals.get("__name__"))
        if module.startswith(("spack.solver", "spack.concretize")):
            break
        traceback = traceback.tb_next
    else:
        return
    if words:
        abstract = list(spack.cmd.parse_specs(words))
    else:
        environment = spack.environment.active_environment()
        abstract = list(environment.user_specs) if environment is not None else []
    journal.not_concretized(abstract, error)


def _is_bootstrapping() -> bool:
    """Whether Spack installs something for itself, which is nobody's build."""
    try:
        import spack.bootstrap

        return bool(spack.bootstrap.is_bootstrapping())
    except Exception:
        return False


def _are_builds_forked() -> bool:
    method = multiprocessing.get_start_method(allow_none=True)
    if method is None:
        method = "fork" if sys.platform == "linux" and sys.version_info < (3, 14) else "spawn"
    return method == "fork"
