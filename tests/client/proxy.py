"""A bad connection: forwards to a server, after some requests that end as a test says."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_PIECE_BYTES = 1 << 16


@dataclass
class Proxy:
    """`faults` happen to one connection each, in order: `drop`, `cut` (the answer), or a whole answer.

    `heads` are the first lines of all requests.
    """

    url: str
    faults: list[str | bytes]
    heads: list[str] = field(default_factory=list)


def answer(status: str, *headers: str, body: str = "") -> bytes:
    """A whole answer."""
    length = f"Content-Length: {len(body.encode())}"
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, length, "Connection: close", "", body]).encode()


@contextmanager
def bad_connection(server_url: str, *faults: str | bytes) -> Iterator[Proxy]:
    """A proxy in front of the server for as long as the block."""
    listening = socket.create_server(("127.0.0.1", 0))
    proxy = Proxy(f"http://127.0.0.1:{listening.getsockname()[1]}", list(faults))
    threading.Thread(target=_accept, args=(listening, server_url, proxy), daemon=True).start()
    try:
        yield proxy
    finally:
        listening.close()


def _accept(listening: socket.socket, server_url: str, proxy: Proxy) -> None:
    with suppress(OSError):
        while True:
            client, _ = listening.accept()
            fault = proxy.faults.pop(0) if proxy.faults else None
            threading.Thread(target=_serve, args=(client, server_url, proxy, fault), daemon=True).start()


def _serve(client: socket.socket, server_url: str, proxy: Proxy, fault: str | bytes | None) -> None:
    with client, suppress(OSError):
        request = _request(client)
        proxy.heads.append(request.split(b"\r\n", 1)[0].decode())
        if fault == "drop":
            return
        if isinstance(fault, bytes):
            client.sendall(fault)
            return
        address = urlsplit(server_url)
        with socket.create_connection((address.hostname, address.port)) as server:
            server.sendall(request)
            while piece := server.recv(_PIECE_BYTES):
                client.sendall(piece[:20] if fault == "cut" else piece)
                if fault == "cut":
                    return


def _request(client: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        request += client.recv(_PIECE_BYTES)
    head, _, body = request.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0].split(b":")[1]) if lengths else 0
    while len(body) < length:
        body += client.recv(_PIECE_BYTES)
    return head + b"\r\n\r\n" + body
