"""The audit log: every change of a right, and who was not let in."""

from pathlib import Path

from sqlalchemy import Connection

from spackmon.auth.audit import Action, Actor, changes_of_rights
from spackmon.auth.groups import (
    add_group,
    add_member,
    remove_member,
    set_build_visibility,
    set_default_visibility,
)
from spackmon.auth.identities import identities_of, link, sign_in, unlink
from spackmon.auth.people import add_person, disable_person, enable_person, set_password, set_role
from spackmon.auth.providers.claims import Claimed
from spackmon.auth.signing_keys import rotate_key
from spackmon.auth.tokens import create_token, list_tokens, revoke_token
from spackmon.ops.notifications.editing import RuleChange, edit_rule
from spackmon.ops.notifications.rules import Channel, NewRule, add_rule, remove_rule
from spackmon.status import ChannelKind, NewsKind, Visibility
from tests.auth import signing_in
from tests.auth.test_exchange import basic
from tests.player import Player
from tests.server import USER, in_database, served

ROOT = Actor("root", "192.0.2.1")


def _change_all(connection: Connection) -> None:
    ada = add_person(connection, "ada", "correct horse", by=ROOT)
    add_group(connection, "climate", ROOT)
    for change in (add_member, add_member, remove_member, remove_member):
        change(connection, "climate", "ada", ROOT)
    set_default_visibility(connection, "ada", Visibility.PRIVATE, "climate", ROOT)
    set_build_visibility(connection, 1, Visibility.INTERNAL, by=ROOT)
    set_role(connection, "ada", "reader", ROOT)
    set_password(connection, "ada", "other horse", ROOT)
    disable_person(connection, "ada", ROOT)
    enable_person(connection, "ada", ROOT)
    create_token(connection, "ada", by=ROOT)
    revoke_token(connection, list_tokens(connection, "ada")[0].id, by=ROOT)
    rotate_key(connection, by=ROOT)
    link(connection, "ada", "https://login.example.org", "7", ROOT)
    sign_in(
        connection,
        Claimed("https://login.example.org", "7", ("x",), None, frozenset({"climate"})),
        "reader",
        "::7",
    )
    unlink(connection, "ada", identities_of(connection, ada)[0].id, ROOT)
    channel = Channel(ChannelKind.EMAIL, "ada@example.org", None)
    add_rule(connection, ada, NewRule("nightly", NewsKind.NEWLY_FAILING, {}, None, 10, [channel]))
    edit_rule(connection, "nightly", RuleChange(is_muted=True))
    remove_rule(connection, "nightly")


def test_every_change_of_a_right_and_every_refused_sign_in_is_in_the_log(
    sqlite_url: str, tmp_path: Path
) -> None:
    with served(sqlite_url, tmp_path) as server:
        assert Player(server.url, server.user, server.token).play("0.17-success") == []
        in_database(server, _change_all)
        with signing_in.browser(server) as client:
            for name, password in (("ada", "a secret"), ("a secret", "x"), ("ada", "other horse")):
                signing_in.sign_in(client, name, password)
            signing_in.post(client, "/account", "/logout")
        server.http.get("/auth/token/", headers=basic("ada", "another secret"))
        # What a browser sends with all that it reads is no sign-in.
        server.http.get("/builds.ndjson", headers=basic("ada", "a third secret"))
        log = in_database(server, lambda connection: changes_of_rights(connection, 99))[::-1]
    assert {one.action for one in log} == set(Action)
    assert "secret" not in str(log)
    refused = [(one.subject, one.address) for one in log if one.action == Action.SIGN_IN_REFUSED]
    assert refused == [("ada", "127.0.0.1"), ("", "127.0.0.1"), ("ada", "127.0.0.1")]
    told = [(one.actor, one.address, one.action, one.subject, one.detail) for one in log]
    members = [one for one in told if one[2].startswith("member")]
    assert members == [
        ("root", "192.0.2.1", "member added", "ada", "climate"),
        ("root", "192.0.2.1", "member removed", "ada", "climate"),
        ("ada", "::7", "member added", "ada", "climate"),
    ]
    seen = [one[3:] for one in told if one[2] == "visibility changed"]
    assert seen == [("ada", "reports: PRIVATE for climate"), (USER, "build 1: INTERNAL")]
