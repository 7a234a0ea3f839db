"""A browser without JavaScript: forms, cookies, and what it says of where a request comes from."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from sqlalchemy import Connection

from spackmon.auth.people import add_person
from tests.server import Server, in_database
from tests.waiting import GIVE_UP_SECONDS

PASSWORD = "correct horse"
HTML = {"Accept": "text/html"}


def add(server: Server, name: str, role: str = "writer") -> None:
    """A person with PASSWORD."""

    def work(connection: Connection) -> None:
        add_person(connection, name, PASSWORD, role)

    in_database(server, work)


@contextmanager
def browser(server: Server) -> Iterator[httpx.Client]:
    """One with a profile of its own."""
    with httpx.Client(base_url=server.url, timeout=GIVE_UP_SECONDS, headers=HTML, verify=False) as client:
        yield client


def form_key(page: httpx.Response) -> str:
    """The key of a page's forms."""
    found = re.search(r'name="form_key" value="(\w+)"', page.text)
    assert found, page.text
    return found[1]


def sign_in(
    client: httpx.Client, name: str, password: str = PASSWORD, where: str = "/", **headers: str
) -> httpx.Response:
    """What the form answers."""
    key = form_key(client.get("/login"))
    fields = {"form_key": key, "name": name, "password": password, "next": where}
    return client.post("/login", data=fields, headers=headers)


def post(client: httpx.Client, page: str, action: str, /, **fields: str) -> httpx.Response:
    """A form of a page, sent as a browser does."""
    headers = {"Origin": str(client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    return client.post(action, data={"form_key": form_key(client.get(page)), **fields}, headers=headers)
