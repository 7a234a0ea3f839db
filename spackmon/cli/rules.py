"""`spackmon rule`: what people are told of, and what became of each message."""

import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import anyio
import typer

from spackmon.auth.people import anonymous, person_named
from spackmon.cli.console import complain, counted, print_table
from spackmon.cli.database import open_database
from spackmon.database import Database
from spackmon.errors import Code, Refused
from spackmon.models import utc_now
from spackmon.ops.notifications import chat, deliveries, mail, rules
from spackmon.ops.notifications.addresses import Allowed, check_url
from spackmon.ops.notifications.configured import delivering
from spackmon.ops.notifications.editing import RuleChange, edit_rule, told_after
from spackmon.ops.notifications.messages import example
from spackmon.ops.notifications.rules import Channel, NewRule, StoredChannel
from spackmon.ops.notifications.sending import Sender
from spackmon.ops.notifications.webhook import shown_key, signing_key
from spackmon.settings import Settings, load_settings
from spackmon.status import ChannelKind, DeliveryStatus, NewsKind

app = typer.Typer(help="Say what people are told of by webhook, e-mail and chat.", no_args_is_help=True)
Result = TypeVar("Result")

_FROM_FILE = "@"
_Rule = Annotated[str, typer.Argument(metavar="RULE", help="See `spackmon rule list`.")]


_Events = Annotated[list[NewsKind], typer.Option("--on", help="What is told of: one thing.")]
_NewEvents = Annotated[list[NewsKind] | None, typer.Option("--on", help="What is told of: one thing.")]
_WHERE_HELP = "Of which builds: a BuildFilter of the schema, as JSON, or @FILE."
_Where = Annotated[str, typer.Option(help=_WHERE_HELP)]
_EnvironmentName = Annotated[
    str | None, typer.Option(help="ROOT_FAILED: of which environment; without it, of any.")
]
_Webhooks = Annotated[
    list[str] | None, typer.Option(help="A URL that is sent signed JSON, or @FILE; several times.")
]
_Emails = Annotated[list[str] | None, typer.Option(help="A mail address; several times.")]
_Chats = Annotated[
    list[str] | None,
    typer.Option(
        "--chat",
        metavar="CHAT=URL",
        help=f"A chat ({', '.join(chat.presets())}, or @FILE, a template of your own) and its URL, or "
        "@FILE with it; several times.",
    ),
]
_PER_HOUR_HELP = "More messages in an hour than these are summed up in one."
_PerHour = Annotated[int, typer.Option(min=1, max=1_000, help=_PER_HOUR_HELP)]
_User = Annotated[str | None, typer.Option("--user", help="Whose rule it is, who sees what they may see.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Its name: letters, digits and . _ -")],
    events: _Events,
    where: _Where = "{}",
    environment: _EnvironmentName = None,
    webhook: _Webhooks = None,
    email: _Emails = None,
    chat_: _Chats = None,
    per_hour: _PerHour = rules.MESSAGES_PER_HOUR,
    user: _User = None,
) -> None:
    """Tell of what is reported from now on."""
    settings = load_settings()
    event = _one_event(events)
    channels = _channels(Allowed.of(settings.webhook_private_allowed), event, webhook, email, chat_)
    if not channels:
        raise Refused(Code.RULE_INVALID, "a rule needs a channel: give --webhook, --email or --chat")
    if environment is not None and event is not NewsKind.ROOT_FAILED:
        raise Refused(Code.RULE_INVALID, "--environment is for --on ROOT_FAILED")
    rule = NewRule(name, event, _condition(where), environment, per_hour, channels)
    with open_database(settings) as database:
        matching = _run(lambda: _matching(database, rule.event, rule.condition))
        database.write(
            lambda connection: rules.add_rule(
                connection, anonymous(connection) if user is None else person_named(connection, user), rule
            )
        )
    print(f"{counted(matching, 'build')} match its filter today", file=sys.stderr)


@app.command()
def edit(
    name: _Rule,
    events: _NewEvents = None,
    where: Annotated[str | None, typer.Option(help=_WHERE_HELP)] = None,
    environment: Annotated[
        str | None, typer.Option(help="ROOT_FAILED: of which environment; '' is any.")
    ] = None,
    webhook: _Webhooks = None,
    email: _Emails = None,
    chat_: _Chats = None,
    remove_channel: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="A mail address or a URL, or @FILE with it, or what lists show; several times.",
        ),
    ] = None,
    per_hour: Annotated[int | None, typer.Option(min=1, max=1_000, help=_PER_HOUR_HELP)] = None,
    mute: Annotated[
        bool | None, typer.Option("--mute/--unmute", help="Tell nothing for a while, and again.")
    ] = None,
) -> None:
    """Change a rule; channels that are given come to those that it has."""
    settings = load_settings()
    change = RuleChange(
        event=_one_event(events) if events else None,
        condition=None if where is None else _condition(where),
        environment_name=environment,
        messages_per_hour=per_hour,
        is_muted=mute,
        removed=tuple(_value(address) for address in remove_channel or ()),
    )
    allowed = Allowed.of(settings.webhook_private_allowed)
    with open_database(settings) as database:
        told = database.read_once(lambda connection: told_after(connection, name, change))
        change = replace(change, added=_channels(allowed, told.event, webhook, email, chat_))
        if change == RuleChange():
            raise Refused(Code.RULE_INVALID, "nothing is to be changed: see `spackmon rule edit --help`")
        matching = _run(lambda: _matching(database, told.event, told.condition))
        database.write(lambda connection: edit_rule(connection, name, change))
    print(f"{counted(matching, 'build')} match its filter today", file=sys.stderr)


@app.command("list")
def list_() -> None:
    """Show all rules; of a channel's URL its host alone, as the rest may be a secret."""
    with open_database() as database:
        found = database.read_once(rules.list_rules)
    print_table(
        ("RULE", "OWNER", "ON", "WHERE", "ENVIRONMENT", "SINCE", "CHANNELS", "GIVEN UP", "TROUBLE", "MUTED"),
        map(astuple, found),
    )


@app.command()
def remove(name: _Rule) -> None:
    """Forget a rule, and the log of what it told."""
    with open_database() as database:
        database.write(lambda connection: rules.remove_rule(connection, name))


@app.command()
def keys(name: _Rule) -> None:
    """Print the keys that a rule's webhooks are signed with, for their receivers."""
    settings = load_settings()
    with open_database(settings) as database:
        channels = database.read_once(lambda connection: rules.channels_of(connection, name))
    for channel in channels:
        if channel.kind is ChannelKind.WEBHOOK:
            key = signing_key(settings.notification_key(), channel.key_salt)
            print(f"{shown_key(key)} {channel.address}")


@app.command()
def test(name: _Rule) -> None:
    """Send an example by each channel of a rule, now and once."""
    settings = load_settings()
    with open_database(settings) as database:
        failed = _run(lambda: _tried(database, settings, name))
    if failed:
        raise Refused(Code.DELIVERY_FAILED, f"{counted(failed, 'message')} could not be delivered")


@app.command("deliveries")
def deliveries_(
    name: Annotated[str | None, typer.Argument(metavar="RULE", help="Only this rule's.")] = None,
    status: Annotated[DeliveryStatus | None, typer.Option(help="Only those that stand so.")] = None,
    most: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 100,
) -> None:
    """Show what was sent and what became of it, the newest first."""
    with open_database() as database:
        found = database.read_once(
            lambda connection: deliveries.list_deliveries(connection, name, status, most)
        )
    print_table(
        ("ID", "NOTED", "RULE", "CHANNEL", "WHAT", "STATUS", "TRIES", "ANSWER", "ITS TEXT"),
        map(astuple, found),
    )


@app.command()
def redeliver(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="See `spackmon rule deliveries`.")],
) -> None:
    """Let a running service send messages again, with the ids that they had."""
    settings = load_settings()
    retry_seconds = settings.notification_retry_seconds
    with open_database(settings) as database:
        for key in ids:
            again = partial(deliveries.redeliver, key=key, now=utc_now(), retry_seconds=retry_seconds)
            database.write(again)


def _run(work: Callable[[], Awaitable[Result]]) -> Result:
    return anyio.run(work)


async def _matching(database: Database, event: NewsKind, condition: Mapping[str, Any]) -> int:
    # GraphQL is loaded where it is needed: the other commands are short.
    from spackmon.ops.notifications.news import News
    from spackmon.query.serve.service import QueryService
    from spackmon.schema import schema

    async with database.reader() as reader:
        return await News(QueryService(schema, database, reader), "").matching(event, condition)


async def _tried(database: Database, settings: Settings, name: str) -> int:
    sender, failed = Sender(database, delivering(settings)), 0
    channels = database.read_once(lambda connection: rules.channels_of(connection, name))
    (event,) = {one.event for one in database.read_once(rules.list_rules) if one.name == name}
    content = example(event, name, settings.public_url)
    for channel in channels:
        outcome = await _try(database, sender, channel, content)
        failed += not outcome
    return failed


async def _try(database: Database, sender: Sender, channel: StoredChannel, content: dict[str, Any]) -> bool:
    message = database.write(
        lambda connection: deliveries.store_test(connection, channel.id, content, utc_now())
    )
    outcome = await sender.send(channel, message)
    await sender.note(message, outcome)
    status = "" if outcome.answer_status is None else f" {outcome.answer_status}"
    complain(f"{channel.kind.lower()} {channel.shown_address}:{status} {outcome.answer}")
    return outcome.is_delivered


def _one_event(events: Sequence[NewsKind]) -> NewsKind:
    event, *others = events
    if others:
        raise Refused(Code.RULE_INVALID, "a rule tells of one thing: give --on once, and add a rule for each")
    return event


def _channels(
    allowed: Allowed,
    event: NewsKind,
    webhooks: Sequence[str] | None,
    emails: Sequence[str] | None,
    chats: Sequence[str] | None,
) -> tuple[Channel, ...]:
    return (
        *(_webhook(url, allowed) for url in webhooks or ()),
        *(_email(address) for address in emails or ()),
        *(_chat(given, event, allowed) for given in chats or ()),
    )


def _webhook(url: str, allowed: Allowed) -> Channel:
    address = _value(url)
    check_url(address, allowed)
    return Channel(ChannelKind.WEBHOOK, address)


def _email(address: str) -> Channel:
    mail.check_address(address)
    return Channel(ChannelKind.EMAIL, address)


def _chat(given: str, event: NewsKind, allowed: Allowed) -> Channel:
    which, _, url = given.partition("=")
    address = _value(url)
    check_url(address, allowed)
    template = _value(which) if which.startswith(_FROM_FILE) else chat.preset(which)
    chat.check_template(template, event)
    return Channel(ChannelKind.CHAT, address, template)


def _condition(given: str) -> dict[str, Any]:
    try:
        condition = json.loads(_value(given))
    except (ValueError, RecursionError):
        condition = None
    if not isinstance(condition, dict):
        raise Refused(
            Code.RULE_INVALID, '--where is no JSON object: expected one, as {"status": {"eq": "FAILED"}}'
        )
    return condition


def _value(given: str) -> str:
    """What was given, or what stands in the file that was: others see a command's arguments."""
    if not given.startswith(_FROM_FILE):
        return given
    path = given.removeprefix(_FROM_FILE)
    try:
        return (sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise Refused(Code.FILE_UNREADABLE, f"{path}: {reason}") from None
