"""`spack monitor`: install and tell a spackmon server of it; tell it of what is installed already."""

import contextlib
import getpass
import os
import subprocess
import sys
import time
import traceback
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any, Callable, List, Optional, Sequence, Tuple

import spack.cmd
import spack.cmd.install
import spack.environment
import spack.error
import spack.paths
import spack.store

# The rest is imported when it is needed: whatever were wrong with it, `spack monitor install` installs.
if TYPE_CHECKING:
    from ..attach import Watch
    from ..settings import Settings
    from ..spool import Item, Run, Spool

description = "report builds to a spackmon server"
section = "build"
level = "long"

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_SENDER = "import sys; sys.path.insert(0, sys.argv.pop(1)); from monitor.sender import main; main()"
_LOOK_SECONDS = 0.02
_SENT_AT_ONCE = 50


def setup_parser(subparser: ArgumentParser) -> None:
    """The subcommands; `install` has every option of `spack install`."""
    commands = subparser.add_subparsers(metavar="SUBCOMMAND", dest="monitor_command")
    commands.required = True
    install = commands.add_parser("install", help="install as `spack install` does, and report it live")
    install.add_argument(
        "--monitor-tags", metavar="TAGS", default="", help="tags for the reported builds, separated by commas"
    )
    spack.cmd.install.setup_parser(install)
    push = commands.add_parser("push", help="report installed specs with all that Spack keeps of them")
    push.add_argument("--all", action="store_true", dest="of_all", help="everything that is installed")
    push.add_argument(
        "--env",
        action="store_true",
        dest="of_environment",
        help="what of the active environment is installed, and its lock file",
    )
    push.add_argument("installed", nargs="*", metavar="SPEC", help="an installed spec, or several")
    analyze = commands.add_parser("analyze", help="report all of that but the logs")
    analyze.add_argument(
        "installed",
        nargs="*",
        metavar="SPEC",
        help="an installed spec; none: those of the active environment",
    )
    commands.add_parser("status", help="show where reports go, and those that wait")
    commands.add_parser("flush", help="send the reports that wait")
    login = commands.add_parser("login", help="store a server's address and a token for it")
    login.add_argument("url", metavar="URL", help="the server, such as https://spackmon.example.org")
    login.add_argument("--no-token", action="store_true", help="the server lets everybody report")


def monitor(parser: ArgumentParser, args: Namespace, ctx: Any = None) -> Any:
    """Run a subcommand; what it gives back is Spack's exit status.

    From 1.3 on Spack hands its context to commands that ask for it, and wants it with most calls.
    """
    args.context = () if ctx is None else (ctx,)
    return _SUBCOMMANDS[args.monitor_command](parser, args)


def _install(parser: ArgumentParser, args: Namespace) -> Any:
    watched = _begin(args)
    if watched is None:
        return spack.cmd.install.install(parser, args, *args.context)
    watch, finish = watched
    try:
        with watch:
            return spack.cmd.install.install(parser, args, *args.context)
    except Exception as error:
        words = getattr(args, "spec", None) or []
        watch.ended_with(error, lambda: spack.cmd.parse_specs(words, *args.context))
        raise
    finally:
        finish()


def _begin(args: Namespace) -> Optional[Tuple["Watch", Callable[[], None]]]:
    """What watches the install, and what to call when it is over; None when it cannot be watched.

    Whatever goes wrong here, the user asked for an install and gets it.
    """
    try:
        from .. import attach, journal

        settings, login_file, spool = _places()
        spool.trim()
        run = spool.begin()
        tags = [tag.strip() for tag in args.monitor_tags.split(",") if tag.strip()]
        watch = attach.Watch(journal.Journal(spool, run, tags))
    except Exception:
        _say_under_debug()
        return None
    sender = _start_sender(run, login_file, settings.spool)
    return watch, lambda: _finish(sender, run, settings)


def _start_sender(run: "Run", login_file: str, spool_directory: str) -> Optional["subprocess.Popen[bytes]"]:
    """The process beside the install; None where none can be had: then the next one sends the reports."""
    try:
        return subprocess.Popen(  # noqa: S603 -- our own code, in Spack's own Python
            [sys.executable, "-I", "-c", _SENDER, _ROOT, run.directory, login_file, spool_directory],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
    except Exception:
        _say_under_debug()
        return None


def _finish(sender: Optional["subprocess.Popen[bytes]"], run: "Run", settings: "Settings") -> None:
    """Tell the sender that the install is over; wait a moment for it, as long as the server answers."""
    if sender is None:
        return
    try:
        if sender.stdin is not None:
            sender.stdin.close()
        deadline = time.time() + settings.wait_seconds
        while settings.url and time.time() < deadline and sender.poll() is None and not run.is_away:
            time.sleep(_LOOK_SECONDS)
        # It goes on without us: Python need not warn that it was not waited for.
        sender.returncode = sender.returncode or 0
    except Exception:
        _say_under_debug()


def _say_under_debug() -> None:
    """Why an install is not reported is said under `spack --debug` alone: its output is the user's."""
    with contextlib.suppress(Exception):
        spack.cmd.install.tty.debug(traceback.format_exc())


def _push(parser: ArgumentParser, args: Namespace) -> int:
    from .. import environments

    specs = _chosen(args, args.of_all, args.of_environment)
    environment = spack.environment.active_environment() if args.of_environment else None
    more = [] if environment is None else environments.reports(environment)
    return _report("pushed", specs, with_log=True, more=more)


def _analyze(parser: ArgumentParser, args: Namespace) -> int:
    return _report("analyzed", _chosen(args, False, not args.installed), with_log=False)


def _chosen(args: Namespace, is_all: bool, is_environment: bool) -> List[Any]:
    """The installed specs that were asked for; externals have nothing to tell. Raises SpackError."""
    words = args.installed
    if bool(words) + is_all + is_environment != 1:
        raise spack.error.SpackError("say which specs: SPEC..., or --all, or --env")
    database = spack.store.STORE.db
    if is_environment:
        environment = spack.environment.active_environment()
        if environment is None:
            raise spack.error.SpackError("there is no active environment: name installed specs")
        found = [spec for spec in environment.all_specs() if spec.installed]
    elif is_all:
        found = database.query()
    else:
        found = []
        for wanted in spack.cmd.parse_specs(words, *args.context):
            matching = database.query(wanted)
            if not matching:
                raise spack.error.SpackError(f"no installed spec matches {wanted}")
            found.extend(matching)
    return list({spec.dag_hash(): spec for spec in found if not spec.external}.values())


def _report(done: str, specs: List[Any], with_log: bool, more: Sequence["Item"] = ()) -> int:
    from .. import elf_files, installed, sender

    settings, _, spool = _places()
    if settings.url is None:
        return _complain("where to? run `spack monitor login URL`, or set SPACKMON_URL")
    run = spool.begin()
    sending = sender.Sender(spool, settings)
    taken, count = 0, len(specs) + len(more)
    try:
        with elf_files.ElfFiles() as elf:
            for number, spec in enumerate(specs, 1):
                run.add(installed.report(spec, elf, with_log), spec.dag_hash())
                if number % _SENT_AT_ONCE == 0:
                    taken += sending.send(run, is_over=False) or 0
                    print(f"{number} of {count}")
        for item in more:
            run.add(item, "")
        taken += sending.send(run, is_over=True) or 0
    except sender.Away as problem:
        return _complain(f"{problem}\n{taken} of {count} were sent; `spack monitor flush` sends what waits")
    print(f"{done} {taken} of {count} to {settings.url}")
    return 0 if taken == count else _complain(f"{spool.log_path} says which were refused")


def _status(parser: ArgumentParser, args: Namespace) -> int:
    from .. import RUN_ON, facts

    settings, login_file, spool = _places()
    waiting = [(run, name) for run in spool.runs() for name in run.names()]
    size_bytes = sum(run.size_bytes(name) for run, name in waiting)
    print("server   {}".format(settings.url or "none: run `spack monitor login URL`, or set SPACKMON_URL"))
    print("token    {}".format("yes" if settings.token else "none"))
    print(f"login    {login_file}")
    print(f"spool    {settings.spool}")
    print(f"waiting  {len(waiting)} reports, {size_bytes / 1e6:.1f} MB")
    print(
        f"spack    {facts.spack_version()[0] or 'of an unknown version'}; the extension was run on {RUN_ON}"
    )
    for line in spool.last_lines(5):
        print(f"log      {line}")
    return 0


def _flush(parser: ArgumentParser, args: Namespace) -> int:
    from .. import sender

    settings, _, spool = _places()
    if settings.url is None:
        return _complain("where to? run `spack monitor login URL`, or set SPACKMON_URL")
    sending = sender.Sender(spool, settings)
    taken = left = 0
    is_beside = False
    try:
        deadline = time.time() + settings.wait_seconds
        for run in spool.runs():
            is_over = run.is_abandoned
            sent = sending.send(run, is_over)
            while sent is None and os.path.isdir(run.directory) and time.time() < deadline:
                time.sleep(_LOOK_SECONDS)
                sent = sending.send(run, is_over)
            taken += sent or 0
            if sent is not None and is_over:
                left += len(run.names())
            else:
                is_beside = is_beside or os.path.isdir(run.directory)
    except sender.Away as problem:
        return _complain(f"{problem}\nsent {taken} reports; the others wait")
    beside = "; a sender is running and sends the rest" if is_beside else ""
    print(f"sent {taken} reports to {settings.url}{beside}")
    return _complain(f"{left} reports wait still: {spool.log_path} says why") if left else 0


def _login(parser: ArgumentParser, args: Namespace) -> int:
    from .. import sender
    from .. import settings as settings_module

    token = None if args.no_token else _asked_token()
    settings, login_file, spool = _places()
    wanted = settings._replace(url=args.url.rstrip("/"), token=token)
    try:
        settings_module.store(login_file, args.url, token)
    except (settings_module.Unusable, OSError) as problem:
        return _complain(str(problem))
    print(f"stored in {login_file}")
    try:
        sender.Sender(spool, wanted).try_out()
    except sender.Away as problem:
        return _complain(str(problem))
    print(f"{wanted.url} takes reports")
    return 0


def _asked_token() -> Optional[str]:
    """The token, from the environment, the terminal or the input; a command line is seen by everybody."""
    token = os.environ.get("SPACKMON_TOKEN")
    if not token:
        token = getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline()
    return token.strip() or None


def _complain(sentence: str) -> int:
    sys.stderr.write(f"spack monitor: {sentence}\n")
    return 1


def _places() -> Tuple["Settings", str, "Spool"]:
    from .. import settings as settings_module
    from .. import spool as spool_module

    usual = os.path.expanduser(os.path.join("~", ".spack"))
    login_file = os.path.join(getattr(spack.paths, "user_config_path", usual), "monitor.json")
    spool = os.path.join(getattr(spack.paths, "user_cache_path", usual), "monitor")
    settings = settings_module.read(login_file, spool)
    return settings, login_file, spool_module.Spool(settings.spool, settings.maximum_bytes)


_SUBCOMMANDS = {
    "install": _install,
    "push": _push,
    "analyze": _analyze,
    "status": _status,
    "flush": _flush,
    "login": _login,
}
