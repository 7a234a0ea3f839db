"""The sockets that the service listens at: its own, or those of whoever started it."""

import os
import socket

from spackmon.errors import Code, Refused

# Clients open a connection for every request, and a site's nightly builds begin together.
_BACKLOG = 2048


def inherited(descriptors: list[int]) -> list[socket.socket]:
    """The sockets of these file descriptors. Raises Refused when one is no listening socket."""
    sockets = []
    for descriptor in descriptors:
        try:
            one = socket.socket(fileno=descriptor)
            listens = one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except OSError:
            listens = 0
        if not listens:
            sentence = f"file descriptor {descriptor} is not a listening socket (--fd, LISTEN_FDS)"
            raise Refused(Code.SOCKET_UNUSABLE, sentence)
        sockets.append(one)
    return sockets


def listen(host: str, port: int) -> socket.socket:
    """The listening socket, before anything is promised on the screen. Raises Refused when it is taken."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        # The library's own text repeats the address; a name that is not found has no number above zero.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise Refused(
            Code.ADDRESS_UNUSABLE,
            f"cannot listen at {host} port {port}: {reason} (SPACKMON_HOST, SPACKMON_PORT)",
        ) from None
