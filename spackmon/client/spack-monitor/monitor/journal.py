"""The story of one `spack monitor install`: what is reported of each package, once, and when."""

import contextlib
import functools
import os
import time
from typing import Any, Callable, Dict, Iterable, Iterator, Optional, Sequence, Set, Tuple, TypeVar

from . import ci, facts
from .spool import Run, Spool

Function = TypeVar("Function", bound=Callable[..., Any])


class Journal:
    """Writes reports into a run. No method raises, whatever happens: an install must not fail of it."""

    def __init__(self, spool: Spool, run: Run, tags: Sequence[str]) -> None:
        self._spool, self._run = spool, run
        self._about_run: Dict[str, Any] = {"environment": facts.environment()}
        self._about_run["spack_version"], self._about_run["spack_revision"] = facts.spack_version()
        if tags:
            self._about_run["tags"] = list(tags)
        job = ci.job_of(os.environ)
        if job is not None:
            self._about_run["ci"] = job
        self._started_at: Dict[str, float] = {}
        self._ended: Set[str] = set()
        self._installed_from: Dict[str, str] = {}
        self._with_nodes: Set[str] = set()
        self._is_muted = False

    def begin(self, roots: Iterable[Any]) -> None:
        """An installer begins with these specs: their graphs are kept for the reports to come."""

        def keep() -> None:
            version, nodes = facts.nodes_of(roots)
            self._run.add_nodes(version, nodes)
            self._with_nodes.update(nodes)

        self._guarded(keep)

    def started(self, spec: Any) -> None:
        """A package is about to be installed."""

        def report() -> None:
            spec_hash = spec.dag_hash()
            if spec_hash in self._started_at or spec.external:
                return
            self._started_at[spec_hash] = now = time.time()
            line = dict(self._line(spec), status="RUNNING", started_at=now, prefix=str(spec.prefix))
            self._add(line, spec_hash, self._graph(spec))

        self._guarded(report)

    def comes_from(self, spec_hash: str, place: Optional[str]) -> None:
        """The installer unpacks a binary ("BUILD_CACHE"), builds ("SOURCE"), or that is open again (None)."""
        if place is None:
            self._installed_from.pop(spec_hash, None)
        else:
            self._installed_from[spec_hash] = place

    def phase(
        self, spec_hash: str, phase: Dict[str, Any], until: Optional[str], instead_of: Optional[str] = None
    ) -> Optional[str]:
        """A phase as in a report, but its log a Slice, or None; what it is called in the spool.

        It is completed when the phase's log is: at once, with the "next" report of the build, or with its
        "end"; until then it may be replaced by another.
        """

        def report() -> Optional[str]:
            line = {"type": "install", "source": self._source(spec_hash), "spec_hash": spec_hash}
            return self._add(line, spec_hash, {"phases": [phase], "until": until}, instead_of)

        return self.guard(report)()

    def succeeded(self, spec: Any) -> None:
        """A package that was started is installed."""

        def report() -> None:
            if self._is_news(spec) and spec.dag_hash() in self._started_at:
                self._end(spec, "SUCCESS", {"prefix": str(spec.prefix)})

        self._guarded(report)

    def found(self, spec: Any) -> None:
        """A package was installed, and nobody told so at the time."""

        def report() -> None:
            if self._is_news(spec):
                self._end(spec, "SUCCESS", {"prefix": str(spec.prefix)})

        self._guarded(report)

    def failed(self, spec: Any, problem: Optional[str], log_path: Optional[str]) -> None:
        """A package did not install; its log is there, if it has one."""

        def report() -> None:
            if self._is_news(spec):
                stage, path = _stage(spec, log_path)
                line = {"events": [{"kind": "ERROR", "text": problem}]} if problem else {}
                self._end(spec, "FAILED", {"stage": stage, "log_path": path} if path else {}, line)

        self._guarded(report)

    def cancelled(self, spec: Any) -> None:
        """A package will not be installed: something it depends on failed, or the install was broken off."""

        def report() -> None:
            if self._is_news(spec):
                collect = {} if spec.dag_hash() in self._started_at else self._graph(spec)
                self._end(spec, "CANCELLED", collect)

        self._guarded(report)

    def stopped(self, spec: Any, log_path: Optional[str]) -> None:
        """A build was to end between two phases, and did; Spack is about to remove its log."""

        def report() -> None:
            if self._is_news(spec):
                stage, path = _stage(spec, log_path)
                kept = self._run.keep(path) if path else None
                collect = {"stage": stage, "log_path": kept or path, "kept_log": kept}
                self._end(spec, "CANCELLED", collect if path else {})

        self._guarded(report)

    def not_concretized(self, abstract: Sequence[Any], error: BaseException) -> None:
        """The solver found no way to install these specs."""

        def report() -> None:
            line = {
                "type": "concretization_failure",
                "spec": " ".join(str(spec) for spec in abstract),
                "package": abstract[0].name if len(abstract) == 1 else None,
                "message": facts.message_of(error),
                "spack_version": self._about_run["spack_version"] or "unknown",
            }
            self._run.add({"line": {name: value for name, value in line.items() if value}}, "")

        self._guarded(report)

    @contextlib.contextmanager
    def muted(self) -> Iterator[None]:
        """What is installed within the block is not reported."""
        was_muted, self._is_muted = self._is_muted, True
        try:
            yield
        finally:
            self._is_muted = was_muted

    def was_started(self, spec_hash: str) -> bool:
        """Whether this run reported that the package is being installed."""
        return spec_hash in self._started_at

    def has_ended(self, spec_hash: str) -> bool:
        """Whether this run reported how the package ended."""
        return spec_hash in self._ended

    def problem(self, where: str, error: BaseException) -> None:
        """Remember that something could not be watched or reported."""
        self._spool.log(f"{where}: {error!r}")

    def guard(self, function: Function) -> Function:
        """The function, of whose errors Spack hears nothing."""

        @functools.wraps(function)
        def guarded(*arguments: Any, **named: Any) -> Any:
            try:
                return function(*arguments, **named)
            except Exception as error:
                self.problem(function.__name__, error)
                return None

        return guarded  # type: ignore[return-value]

    def _guarded(self, work: Callable[[], None]) -> None:
        self.guard(work)()

    def _is_news(self, spec: Any) -> bool:
        return spec.dag_hash() not in self._ended and not spec.external

    def _end(
        self, spec: Any, status: str, collect: Dict[str, Any], more: Optional[Dict[str, Any]] = None
    ) -> None:
        spec_hash = spec.dag_hash()
        self._ended.add(spec_hash)
        now = time.time()
        line = dict(self._line(spec), status=status, finished_at=now, **(more or {}))
        if spec_hash in self._installed_from:
            line["installed_from"] = self._installed_from[spec_hash]
        if spec_hash in self._started_at:
            line["started_at"] = self._started_at[spec_hash]
            line["duration_seconds"] = max(0.0, now - self._started_at[spec_hash])
        elif "document" not in collect and "spec" not in collect:
            collect = dict(collect, **self._graph(spec))
        self._add(line, spec_hash, collect)

    def _line(self, spec: Any) -> Dict[str, Any]:
        spec_hash = spec.dag_hash()
        return dict(
            self._about_run,
            type="install",
            source=self._source(spec_hash),
            spec_hash=spec_hash,
            package=spec.name,
        )

    def _source(self, spec_hash: str) -> Dict[str, str]:
        return {"kind": "EXTENSION", "key": f"{self._run.id}/{spec_hash}"}

    def _graph(self, spec: Any) -> Dict[str, Any]:
        """How a report gets its graph: its nodes are kept already, but for a spec that nobody announced."""
        spec_hash = spec.dag_hash()
        if spec_hash not in self._with_nodes:
            self.begin([spec])
        return {"document": spec_hash}

    def _add(
        self, line: Dict[str, Any], spec_hash: str, collect: Dict[str, Any], instead_of: Optional[str] = None
    ) -> Optional[str]:
        if self._is_muted:
            return None
        item = {"line": line, "collect": dict(collect, at=time.time())}
        if instead_of is None:
            return self._run.add(item, spec_hash)
        self._run.replace(instead_of, item)
        return instead_of


def _stage(spec: Any, log_path: Optional[str]) -> Tuple[str, Optional[str]]:
    """A failed build's stage and log, if it came so far; that of the new installer lies elsewhere."""
    stage = ""
    try:
        stage = str(spec.package.stage.path)
        log_path = log_path or str(spec.package.log_path)
    except Exception:  # noqa: S110 -- a recipe that cannot be loaded has failed for just that
        pass
    return stage, log_path if log_path and os.path.exists(log_path) else None
