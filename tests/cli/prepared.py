"""`spackmon` with its modules loaded: a process that forks for each command.

Importing them takes longer than what most commands do. What is forked ends as a program does, by its own exit
code; the real program is what docs, examples and services run.
"""

import gc
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from typing import IO

# Of a command with its environment.
_MESSAGE_BYTES = 200_000

Finished = subprocess.CompletedProcess[str]


def run(command: Sequence[str], environment: Mapping[str, str], stdin: str = "") -> Finished:
    """What a command printed, and its exit code; it has no terminal."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin.encode())
        given.seek(0)
        message = json.dumps([command, dict(environment), os.getcwd()]).encode()
        socket.send_fds(_process(), [message], [file.fileno() for file in (given, out, err)])
        return_code = int(_process().recv(_MESSAGE_BYTES))
        return Finished(command, return_code, _text(out), _text(err))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


@cache
def _process() -> socket.socket:
    """A connection to the one process of this one; it ends when this ends."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    subprocess.Popen(
        [sys.executable, "-m", __name__, str(its.fileno())],
        pass_fds=[its.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    its.close()
    return ours


def _become_a_command(commands: socket.socket) -> None:
    """Fork for each command, and return in what is forked."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(commands, _MESSAGE_BYTES, 3)
        if not message:
            sys.exit()
        child = os.fork()
        if not child:
            break
        for descriptor in descriptors:
            os.close(descriptor)
        _, status = os.waitpid(child, 0)
        commands.send(str(os.waitstatus_to_exitcode(status)).encode())
    commands.close()
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
