"""What the concretizer could not solve: which errors say that, and how they are reported.

A recipe that cannot be imported, a cache that does not answer, a hash that nothing has: such errors pass
through the concretizer as well, and say nothing of the specs.
"""

from traceback import walk_tb
from typing import Any, Callable, List

import spack.environment
import spack.error

from .journal import Journal

_CONCRETIZER = ("spack.solver", "spack.concretize")


class _UnsolvedMessage(str):
    """What the concretizer said in another process, from where errors come as their text alone."""


def report(journal: Journal, error: BaseException, wanted: Callable[[], List[Any]]) -> None:
    """Report the specs that were `wanted`, or the active environment's, if the error is about them."""
    if not _is_unsolved(error):
        return
    abstract = list(wanted())
    if not abstract:
        environment = spack.environment.active_environment()
        abstract = list(environment.user_specs) if environment is not None else []
    journal.not_concretized(abstract, error)


def mark_worker_error(original: Any, worker_error: Any, *arguments: Any, **named: Any) -> None:
    """In a process that concretizes one spec of many: its error's text will say what kind it was of."""
    original(worker_error, *arguments, **named)
    if any(isinstance(argument, BaseException) and _is_unsolved(argument) for argument in arguments):
        worker_error.error_message = _UnsolvedMessage(worker_error.error_message)


def _is_unsolved(error: BaseException) -> bool:
    """Whether the concretizer says that these specs cannot be had."""
    if any(isinstance(argument, _UnsolvedMessage) for argument in error.args):
        return True
    if type(error).__module__.startswith(_CONCRETIZER):
        return True
    # Every version has classes of its own for that, in several modules; but all are raised by the solver.
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    names = [str(frame.f_globals.get("__name__")) for frame in frames]
    return isinstance(error, spack.error.SpecError) and any(n.startswith("spack.solver") for n in names)
