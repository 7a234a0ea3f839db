"""How a running install is watched, by what Spack 0.22 to 1.3 have in common.

In the parent, the old installer tells the fates of its tasks to methods of its own, and the new one tells
states to its display. In the builds, which are forked from it, each phase says that it starts and that it is
done. Where builds are not forked (macOS, Python 3.14), phases come from the new installer's states, or with
the end of the build from what it left.

A version that has something else instead is watched as far as the rest goes; what nobody told of is found
afterwards, in the database and by the logs.
"""

import functools
import importlib
import multiprocessing
import sys
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from . import afterwards, concretizing, facts
from .journal import Journal
from .phases import PhaseWatch

_INSTALLERS = ("spack.installer", "spack.new_installer")
_NO_BINARY = "no binary available"
# States of the new installer that are no phases of a package, and where that comes from which is in them. One
# that is rewired is unpacked, too: from the binary of the spec that it was spliced from.
_NO_PHASES = {
    "starting": None,
    "fetching from build cache": "BUILD_CACHE",
    "relocating": "BUILD_CACHE",
    _NO_BINARY: "BUILD_CACHE",
    "rewiring": "BUILD_CACHE",
    "staging": "SOURCE",
}
_ENDS = frozenset(("finished", "failed"))
_STOPPED = "stopped "


class Watch:
    """Watches every installer that runs within the block."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._phases = PhaseWatch(journal)
        self._undo: List[Tuple[Any, str, Any]] = []
        self._sees_installs = False
        self._has_begun = False
        self._began_at = time.time()

    def __enter__(self) -> "Watch":
        for attach in (self._watch_installers, self._watch_phases, self._watch_concretizing):
            self._journal.guard(attach)()
        return self

    def __exit__(self, _: Any, error: Optional[BaseException], *__: Any) -> None:
        while self._undo:
            owner, name, original = self._undo.pop()
            setattr(owner, name, original)
        if not self._sees_installs:
            self._journal.guard(afterwards.report_of_nobody)(self._journal, self._began_at, error)

    def ended_with(self, error: BaseException, wanted: Callable[[], List[Any]]) -> None:
        """The command ended so; if it was the concretizer that found no way, that is reported."""
        if not self._has_begun:
            self._journal.guard(concretizing.report)(self._journal, error, wanted)

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
                hears_tasks = self._watch_tasks(module, installer)
                install = functools.partial(self._install, hears_tasks=hears_tasks)
                self._sees_installs |= self._replace(installer, "install", install)

    def _watch_tasks(self, module: Any, installer: Any) -> bool:
        """The old installer: a task starts, succeeds, or fails with all that depend on it.

        Whether all of that will be heard.
        """
        starts = [self._replace(installer, "_install_task", self._task_of_installer_starts)]
        ends = [
            self._replace(installer, "_update_installed", self._task_installed),
            self._replace(installer, "_update_failed", self._task_failed),
        ]
        for name in ("Task", "BuildTask", "RewireTask"):
            task_class = getattr(module, name, None)
            for method in ("start", "execute"):
                if task_class is not None:
                    starts.append(self._replace(task_class, method, self._task_starts))
        return any(starts) and all(ends)

    def _watch_phases(self) -> None:
        phase_class = importlib.import_module("spack.builder").InstallationPhase
        # Not the execution itself: whoever reads the traceback of a failed build shall not find us in it.
        self._replace(phase_class, "_on_phase_start", self._phases.starts)
        self._replace(phase_class, "_on_phase_exit", self._phases.exits)

    def _watch_concretizing(self) -> None:
        worker_error = importlib.import_module("spack.util.parallel").ErrorFromWorker
        self._replace(worker_error, "__init__", concretizing.mark_worker_error)

    def _replace(self, owner: Any, name: str, around: Callable[..., Any]) -> bool:
        """Put `around(original, *arguments)` in the place of a method; False when the class has none."""
        owner = next((base for base in owner.__mro__ if name in vars(base)), None)
        if any((owner, name) == replaced[:2] for replaced in self._undo):
            return True
        original = vars(owner)[name] if owner is not None else None
        if not callable(original):
            return False

        def watched(*arguments: Any, **named: Any) -> Any:
            return around(original, *arguments, **named)

        self._undo.append((owner, name, original))
        setattr(owner, name, functools.wraps(original)(watched))
        return True

    def _install(
        self, original: Any, installer: Any, *arguments: Any, hears_tasks: bool, **named: Any
    ) -> Any:
        if _is_bootstrapping():
            with self._journal.muted():
                return original(installer, *arguments, **named)
        self._has_begun = True
        began_at = time.time()
        # Said here, before builds are forked: a stage that was kept does not tell whose log it has.
        self._phases.has_one_log = not hasattr(installer, "build_requests")
        watched = self._journal.guard(_watched)(self._journal, installer, hears_tasks)
        try:
            returned = original(installer, *arguments, **named)
        except BaseException as error:
            self._journal.guard(_settle)(self._journal, watched, began_at, error)
            raise
        self._journal.guard(_settle)(self._journal, watched, began_at, None)
        return returned

    def _task_of_installer_starts(
        self, original: Any, installer: Any, task: Any, *arguments: Any, **named: Any
    ) -> Any:
        self._task_starting(task)
        return original(installer, task, *arguments, **named)

    def _task_starts(self, original: Any, task: Any, *arguments: Any, **named: Any) -> Any:
        self._task_starting(task)
        return original(task, *arguments, **named)

    def _task_starting(self, task: Any) -> None:
        self._journal.guard(_report_started)(self._journal, task)

    def _task_installed(self, original: Any, installer: Any, task: Any, *arguments: Any, **named: Any) -> Any:
        returned = original(installer, task, *arguments, **named)
        self._journal.guard(_report_installed)(self._journal, task.pkg)
        return returned

    def _task_failed(self, original: Any, installer: Any, task: Any, *arguments: Any, **named: Any) -> Any:
        error = named.get("exc") or (arguments[1] if len(arguments) > 1 else None)
        self._journal.guard(_report_failed)(self._journal, task, error)
        return original(installer, task, *arguments, **named)


class _States:
    """The new installer: what it tells its display of each build."""

    def __init__(self, journal: Journal, installer: Any) -> None:
        self._journal, self._installer = journal, installer
        # 1.1 keeps the nodes itself; later versions add to their graph as they go.
        self._graph = getattr(installer, "build_graph", installer)
        self.specs = dict(self._graph.nodes)
        self._phases: Dict[str, Tuple[str, float]] = {}
        self._last: Dict[str, str] = {}
        self._reports_phases = not _are_builds_forked()

    def added(self, spec: Any, *_: Any, **named: Any) -> None:
        """Something is shown; a build of ours if there is a way to control it."""
        if named.get("control_w_conn") is not None:
            self._journal.started(spec)

    def changed(self, spec_hash: str, state: str) -> None:
        spec = self.specs.get(spec_hash) or self._graph.nodes.get(spec_hash)
        if spec is None:
            return
        self.specs[spec_hash] = spec
        if self._reports_phases:
            self._journal.guard(self._phase_changed)(spec, state)
        if state.startswith(_STOPPED):
            self._journal.stopped(spec, self._log_path(spec_hash))
        elif state == "failed":
            # Of this one reason nothing stands in the log.
            problem = _NO_BINARY if self._last.get(spec_hash) == _NO_BINARY else None
            self._journal.failed(spec, problem, self._log_path(spec_hash))
        elif state == "finished":
            # One that was never in any other state was installed by somebody else, or is external.
            self._journal.succeeded(spec)
            del self.specs[spec_hash]
        else:
            self._last[spec_hash] = state
            self._journal.comes_from(spec_hash, _NO_PHASES.get(state, "SOURCE"))
            self._journal.started(spec)

    def _phase_changed(self, spec: Any, state: str) -> None:
        """What was a phase until now is over; which part of the log is its own cannot be told from here."""
        spec_hash = spec.dag_hash()
        if spec_hash in self._phases:
            name, began_at = self._phases.pop(spec_hash)
            status = "ERROR" if state == "failed" else "SUCCESS"
            phase = {"name": name, "status": status, "duration_seconds": time.time() - began_at}
            self._journal.phase(spec_hash, phase, until=None)
        if state not in _NO_PHASES and state not in _ENDS and not state.startswith(_STOPPED):
            self._phases[spec_hash] = state, time.time()

    def _log_path(self, spec_hash: str) -> Optional[str]:
        known = getattr(self._installer, "log_paths", {}).get(spec_hash)
        if known is None:
            running = getattr(self._installer, "running_builds", {})
            for build in running.values():
                if build.spec.dag_hash() == spec_hash:
                    known = getattr(build, "log_path", None)
        return None if known is None else str(known)


class _Watched(NamedTuple):
    """An installer: what it was to install and has not said the end of, and whether it says that at all."""

    open_specs: Callable[[], List[Any]]
    is_heard: bool


def _watched(journal: Journal, installer: Any, hears_tasks: bool) -> _Watched:
    """Begin to watch one installer. Raises when it is none that is known."""
    if not hasattr(installer, "build_requests"):
        states = _States(journal, installer)
        journal.begin(list(states.specs.values()))
        return _Watched(lambda: list(states.specs.values()), _hear_states(journal, installer, states))
    journal.begin([request.pkg.spec for request in installer.build_requests])

    def open_specs() -> List[Any]:
        reached = [spec for request in installer.build_requests for spec in request.pkg.spec.traverse()]
        waiting = [task.pkg.spec for task in installer.build_tasks.values()]
        return [spec for spec in reached if journal.was_started(spec.dag_hash()) or not hears_tasks] + waiting

    return _Watched(open_specs, hears_tasks)


def _hear_states(journal: Journal, installer: Any, states: _States) -> bool:
    is_heard = False
    for display_name, method in (("build_status", "update_state"), ("ui", "on_state_changed")):
        display = getattr(installer, display_name, None)
        if hasattr(display, method):
            _listen(display, method, journal.guard(states.changed))
            is_heard = True
        if hasattr(display, "add_build"):
            _listen(display, "add_build", journal.guard(states.added))
    return is_heard


def _settle(
    journal: Journal, watched: Optional[_Watched], began_at: float, error: Optional[BaseException]
) -> None:
    """The installer is done: what has no end by now will have none, or none that was told."""
    if watched is None:
        afterwards.report_of_nobody(journal, began_at, error)
    elif not watched.is_heard:
        afterwards.report(journal, watched.open_specs(), began_at)
    else:
        for spec in watched.open_specs():
            # Without an error only what `--until` stopped is open, and what had not to be installed.
            if error is not None or journal.was_started(spec.dag_hash()):
                journal.cancelled(spec)


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


def _report_installed(journal: Journal, package: Any) -> None:
    spec = package.spec
    if getattr(package, "installed_from_binary_cache", False):
        journal.comes_from(spec.dag_hash(), "BUILD_CACHE")
    # `--until` ends a task without an install.
    if spec.installed:
        journal.succeeded(spec)
    else:
        journal.cancelled(spec)


def _report_failed(journal: Journal, task: Any, error: Optional[BaseException]) -> None:
    spec = task.pkg.spec
    # Before 1.1 a flag of the task, then a word.
    if getattr(task, "cache_only", False) or getattr(task, "install_policy", None) == "cache_only":
        journal.comes_from(spec.dag_hash(), "BUILD_CACHE")
    if error is not None or journal.was_started(spec.dag_hash()):
        journal.failed(spec, facts.message_of(error) if error is not None else None, None)
    else:
        # Its failure is another's: of what it depends on, or of a process that tried the same before.
        journal.cancelled(spec)


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
