"""`spackmon` with its modules loaded: a process that forks for each command.

Importing them takes longer than what most commands do. What is forked ends as a program does, by its own exit
code; the real program is what services run, and the documents that a newcomer reads first.
"""

import gc
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

# Of a command with its environment.
_MESSAGE_BYTES = 200_000
# For a shell: as small as a program of Python's can be. What a signal ended ends as shells have it.
_PROGRAM = f"""#!{sys.executable} -IS
import json, os, socket, sys
one = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
one.connect(%r)
message = json.dumps([sys.argv, dict(os.environ), os.getcwd()]).encode()
socket.send_fds(one, [message], [0, 1, 2])
code = int(one.recv(100))
os._exit(code if code >= 0 else 128 - code)
"""

Finished = subprocess.CompletedProcess[str]


def run(command: Sequence[str], environment: Mapping[str, str], stdin: str = "") -> Finished:
    """What a command printed, and its exit code; it has no terminal."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin.encode())
        given.seek(0)
        message = json.dumps([command, dict(environment), os.getcwd()]).encode()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as one:
            one.connect(_address())
            socket.send_fds(one, [message], [file.fileno() for file in (given, out, err)])
            return_code = int(one.recv(_MESSAGE_BYTES))
        return Finished(command, return_code, _text(out), _text(err))


def program(directory: Path) -> Path:
    """A `spackmon` for a shell, in this directory."""
    written = directory / "spackmon"
    written.write_text(_PROGRAM % _address())
    written.chmod(0o755)
    return written


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


@cache
def _address() -> str:
    """Where the one process of this one takes commands; it ends when this ends."""
    address = tempfile.mktemp(prefix="spackmon-commands-")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind(address)
    listening.listen()
    subprocess.Popen(
        [sys.executable, "-m", __name__, str(listening.fileno())],
        pass_fds=[listening.fileno()], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    listening.close()
    return address


def _become_a_command(listening: socket.socket) -> None:
    """Fork for each command, of which several may run, and return in what is forked."""
    running: dict[int, tuple[int, socket.socket]] = {}
    while True:
        ready, _, _ = select.select([listening, sys.stdin, *running], [], [])
        if sys.stdin in ready:
            os.unlink(listening.getsockname())
            sys.exit()
        for descriptor in set(ready) & set(running):
            process_id, asking = running.pop(descriptor)
            _, status = os.waitpid(process_id, 0)
            os.close(descriptor)
            with asking:
                asking.send(str(os.waitstatus_to_exitcode(status)).encode())
        if listening not in ready:
            continue
        asking, _ = listening.accept()
        message, descriptors, _, _ = socket.recv_fds(asking, _MESSAGE_BYTES, 3)
        child = os.fork()
        if not child:
            break
        for descriptor in descriptors:
            os.close(descriptor)
        running[os.pidfd_open(child)] = (child, asking)
    for one in (listening, asking, *(other for _, other in running.values())):
        one.close()
    sys.argv, environment, directory = json.loads(message)
    os.setsid()
    os.chdir(directory)
    for standard, descriptor in enumerate(descriptors):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)


if __name__ == "__main__":
    from typer.main import get_command

    import spackmon.app  # noqa: F401 -- what some commands import when they run
    from spackmon.cli import main
    from spackmon.cli.commands import command_line

    # To look at a command is to import it.
    for group in get_command(command_line()).commands.values():
        list(getattr(group, "commands", {}).values())

    # What is there is never looked at again: a command that ended would free it object by object.
    gc.collect()
    gc.freeze()
    _become_a_command(socket.socket(fileno=int(sys.argv[1])))
    main()
