"""Starting the service."""

import socket

from tests.cli.command import Shell


def test_a_taken_port_is_one_sentence_and_nothing_is_promised(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finished = shell.run("serve", "--port", port)
    assert finished.returncode == 1
    assert finished.stdout == ""
    assert finished.stderr == (
        f"spackmon: cannot listen at 127.0.0.1 port {port}: Address already in use"
        " (SPACKMON_HOST, SPACKMON_PORT)\n"
    )
