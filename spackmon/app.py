"""The wiring: settings, database, routes, middleware, lifespan."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import anyio
import structlog
from anyio.abc import TaskGroup
from limits import parse as parse_rate
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount

from spackmon.auth.access_tokens import AccessTokens
from spackmon.auth.gate import Gate
from spackmon.auth.providers.configured import providers_of
from spackmon.auth.providers.pending import SignIns
from spackmon.auth.sessions import Sessions
from spackmon.database import Database, Reader, Unprepared
from spackmon.database.replicas import by_primary, replicas_of, replicated
from spackmon.database.roles import WRITER
from spackmon.database.together import Together
from spackmon.errors import Code, Refused
from spackmon.formats.specs.known_nodes import KnownNodes
from spackmon.http import answers, health, metrics, openapi, token_exchange
from spackmon.http.access_log import AccessLog
from spackmon.http.own_writes import OwnWrites
from spackmon.http.read_limits import ReadLimits
from spackmon.http.reading import ReadAccess
from spackmon.http.server import END_STREAMS
from spackmon.http.short_addresses import ShortAddresses
from spackmon.http.traces import Traces
from spackmon.ingest import store
from spackmon.log_bucket import LogBucket
from spackmon.ops import capacity, changes, revisions, upkeep
from spackmon.ops.beginning import follow
from spackmon.ops.health import Watch
from spackmon.ops.jobs import Jobs
from spackmon.ops.log_objects import bucket_of
from spackmon.ops.memory import Memory
from spackmon.ops.metrics import Metrics
from spackmon.ops.notifications.configured import delivering
from spackmon.ops.notifications.watch import Watcher
from spackmon.ops.quotas import LatestUse
from spackmon.ops.slow_operations import SlowOperations
from spackmon.ops.spool import Spool
from spackmon.ops.tracing import Tracing
from spackmon.query.meanings.limits import Limits
from spackmon.query.serve.changes import Changes
from spackmon.query.serve.service import QueryService, driver_dialect
from spackmon.query.serve.subscriptions import SubscriptionLimits, Subscriptions
from spackmon.query.serve.trusted_documents import TrustedDocuments
from spackmon.recent import Recent
from spackmon.rest_compat import (
    api_token_auth,
    build_visibility,
    cdash,
    cdash_api,
    error_groups,
    submissions,
)
from spackmon.rest_compat.data.routes import NOUNS, data_routes
from spackmon.rest_compat.data.window import DEFAULT_LIMIT
from spackmon.rest_compat.reads import read_routes
from spackmon.rest_compat.replays import reader as reader_of
from spackmon.rest_compat.service_info import service_info_routes
from spackmon.rest_compat.writes import write_routes
from spackmon.schema import schema
from spackmon.setting_values import AUTHENTICATED
from spackmon.settings import Settings, are_traces_sent, old_settings
from spackmon.threads import in_thread
from spackmon.viewer import Viewer
from spackmon.web import (
    account,
    badges,
    cdash_links,
    documentation,
    feeds,
    old_addresses,
    other_services,
    page_routes,
    sign_in,
)
from spackmon.web.admin import admin_routes
from spackmon.web.api_docs import DocumentedNoun, api_docs_routes
from spackmon.web.bills import routes as bills_of_materials
from spackmon.web.graphql import graphql_routes
from spackmon.web.origins import OtherOrigins
from spackmon.web.security import SecurityHeaders
from spackmon.web.static_files import static_files
from spackmon.web.unknown import unknown_address
from spackmon.web.websocket import websocket_routes

log = structlog.get_logger()


def create_app(settings: Settings) -> Starlette:
    """The service as an ASGI application; it opens the database when it starts.

    Raises Refused when a secret that it needs cannot be made, or a trusted document not be read.
    """
    recent = Recent(settings.cache_bytes)
    trusted_documents = TrustedDocuments.of(settings.persisted_documents, schema._schema, recent)
    access_tokens = AccessTokens(settings.signing_key, settings.api_token_expires_seconds)
    _open_early(access_tokens)
    measured = Metrics()
    slow = SlowOperations(settings.slow_operation_seconds)
    tracing = Tracing() if are_traces_sent() else None
    observers = [measured.executed, slow.executed]
    if tracing is not None:
        observers.append(tracing.executed)
        measured.on_report.append(tracing.reported)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        _warn(settings)
        follow(settings)
        database = Database(
            settings.database_url,
            role=WRITER,
            hold_seconds=settings.hold_seconds,
            prepare=partial(_prepare, settings, access_tokens),
            check=revisions.check_revision,
            direct_url=settings.database_direct_url,
        )
        if tracing is not None:
            tracing.start(database)
        watch = Watch(database)
        spool = Spool(settings.spool)
        jobs = Jobs()
        gate = Gate(database, access_tokens, is_open=settings.disable_authentication)
        sessions = Sessions(
            database,
            timedelta(seconds=settings.session_seconds),
            timedelta(seconds=settings.session_idle_seconds),
        )
        try:
            async with (
                database.reader(settings.statement_timeout_seconds) as reader,
                _replicated(settings, database, reader) as near,
                anyio.create_task_group() as tasks,
            ):
                await upkeep.first_look(watch)
                tasks.start_soon(upkeep.see_end_of_trouble, watch)
                tasks.start_soon(upkeep.drain, jobs, spool, database, reader_of(settings.cdash_projects))
                tasks.start_soon(upkeep.note_uses, jobs, gate, sessions, database)
                tasks.start_soon(upkeep.learn_keys, jobs, gate, database)
                quota_use = LatestUse()
                bucket = bucket_of(settings)
                _look_after_database(tasks, jobs, settings, database, quota_use, bucket)
                known = Changes(reader, driver_dialect(database), partial(changes.number, database))
                subscriptions = Subscriptions(reader, known, _subscription_limits(settings), bucket)
                database.on_write.append(subscriptions.wake)
                tasks.start_soon(subscriptions.run)
                tasks.start_soon(changes.listen, database, subscriptions.wake, subscriptions.used)
                query = QueryService(
                    schema, database, near, _limits(settings), recent, settings.satisfying_as,
                    subscriptions, observers, bucket,
                )  # fmt: skip
                watcher = _watcher(settings, database, query)
                database.on_write.append(watcher.wake)
                tasks.start_soon(by_primary, watcher.judge)
                tasks.start_soon(watcher.send)
                tasks.start_soon(watcher.forget)
                yield {
                    "settings": settings,
                    "database": database,
                    "phases": Together(database, store.apply_phases),
                    "gate": gate,
                    "sessions": sessions,
                    "providers": providers_of(settings),
                    "sign_ins": SignIns(settings.signing_key),
                    "signed_in": None,
                    "spool": spool,
                    "jobs": jobs,
                    "known_nodes": KnownNodes(),
                    "watch": watch,
                    "memory": Memory(),
                    "quota_use": quota_use,
                    "metrics": measured,
                    # Whoever is not asked who they are sees what is public.
                    "query": query.seen_by(Viewer()),
                    "replicas": replicas_of(near),
                    END_STREAMS: subscriptions.end,
                    "trusted_documents": trusted_documents,
                }
                tasks.cancel_scope.cancel()
        finally:
            database.close()
            if tracing is not None:
                await in_thread(tracing.stop)

    application = Starlette(
        routes=_routes(settings),
        middleware=_middleware(settings, measured, tracing),
        exception_handlers={
            HTTPException: unknown_address(settings.url_api_prefix),
            Refused: answers.for_refused,
        },
        lifespan=lifespan,
    )
    # A redirect ends an old client's build: the paths it may spell in two ways are there twice.
    application.router.redirect_slashes = False
    return application


def _look_after_database(
    tasks: TaskGroup,
    jobs: Jobs,
    settings: Settings,
    database: Database,
    quota_use: LatestUse,
    bucket: LogBucket | None,
) -> None:
    """Begin what is done of a database beside its requests, for as long as the service runs."""
    tasks.start_soon(upkeep.fold_counts, jobs, database)
    tasks.start_soon(upkeep.end_silent_runs, jobs, database, settings.run_silence_seconds)
    tasks.start_soon(upkeep.seal_contents, jobs, database)
    tasks.start_soon(upkeep.retain, jobs, database, settings.retention)
    tasks.start_soon(upkeep.keep_to_quotas, jobs, database, settings.quotas, quota_use)
    tasks.start_soon(upkeep.move_logs, jobs, database, bucket, settings)
    tasks.start_soon(upkeep.pack_all_documents, jobs, database)
    tasks.start_soon(upkeep.learn_package_sets, jobs, database)
    tasks.start_soon(changes.forget_old, database, settings.changes_kept_seconds)
    tasks.start_soon(changes.announce, database)


def _replicated(
    settings: Settings, database: Database, reader: Reader
) -> AbstractAsyncContextManager[Reader]:
    return replicated(
        database,
        reader,
        settings.database_replicas,
        settings.replica_lag_seconds,
        settings.statement_timeout_seconds,
    )


def _routes(settings: Settings) -> list[BaseRoute]:
    """In the order in which they are tried: most requests are questions."""
    routes: list[BaseRoute] = [
        *graphql_routes,
        *websocket_routes,
        *write_routes(settings.url_api_prefix),
        *service_info_routes(settings.url_api_prefix),
        *read_routes(settings.url_api_prefix),
        *data_routes(),
        *api_docs_routes(_documented_nouns(), DEFAULT_LIMIT),
        *submissions.routes,
        *build_visibility.routes,
        *error_groups.routes,
        *cdash.routes,
        *cdash_api.routes,
        *token_exchange.routes,
        *api_token_auth.routes,
        *health.routes,
        *metrics.routes,
        *cdash_links.routes,
        *sign_in.routes,
        *other_services.routes,
        *account.routes,
        *admin_routes(reader_of(settings.cdash_projects)),
        *old_addresses.routes,
        *feeds.routes,
        *badges.routes,
        *bills_of_materials.routes,
        *documentation.routes,
        *page_routes.routes,
        Mount("/static", static_files(), name="static"),
    ]
    return [*routes, *openapi.openapi_routes(routes)]


def _middleware(settings: Settings, measured: Metrics, tracing: Tracing | None) -> list[Middleware]:
    """From the outermost on."""
    traces = [] if tracing is None else [Middleware(Traces, tracing)]
    own_writes = [Middleware(OwnWrites)] if settings.database_replicas else []
    return [
        Middleware(AccessLog, measured),
        *traces,
        *own_writes,
        Middleware(SecurityHeaders),
        Middleware(ShortAddresses),
        Middleware(OtherOrigins, settings.cors_origins),
        Middleware(ReadAccess, settings.url_api_prefix, _read_limits(settings)),
    ]


def _read_limits(settings: Settings) -> ReadLimits:
    """Raises Refused where the store cannot be used."""
    store = settings.read_limit_store
    of_address, of_person = (
        None if rate is None else parse_rate(rate)
        for rate in (settings.read_limit, settings.read_limit_of_person)
    )
    try:
        return ReadLimits(of_address, of_person, None if store is None else store.get_secret_value())
    except ValueError as error:
        raise Refused(Code.SETTING_INVALID, f"READ_LIMIT_STORE is not usable: {error}") from error


def _open_early(access_tokens: AccessTokens) -> None:
    """Find a wrong secret at the start; one that cannot be made yet is no reason not to start."""
    try:
        access_tokens.open()
    except Refused as refused:
        if refused.code != Code.SECRET_NOT_MADE:
            raise


def _prepare(settings: Settings, access_tokens: AccessTokens) -> None:
    """What has to be there before the first transaction. Raises Unprepared, and what the database raises."""
    try:
        settings.make_data_dir()
        access_tokens.open()
    except OSError as error:
        raise Unprepared(f"DATA_DIR cannot be made: {error.strerror}") from error
    except Refused as refused:
        raise Unprepared(refused.sentence) from refused
    revisions.prepare(settings.session_url)
    if not settings.database_direct_url:
        # How many a pooler opens is its own setting.
        capacity.warn(settings.database_url)


def _documented_nouns() -> list[DocumentedNoun]:
    return [DocumentedNoun(noun.name, noun.maximum, noun.source.document) for noun in NOUNS]


def _limits(settings: Settings) -> Limits:
    return Limits(
        tokens=settings.maximum_tokens,
        aliases=settings.maximum_aliases,
        depth=settings.maximum_depth,
        cost=settings.maximum_cost,
        introspection=settings.introspection,
        document_bytes=settings.maximum_document_bytes,
    )


def _subscription_limits(settings: Settings) -> SubscriptionLimits:
    return SubscriptionLimits(settings.maximum_subscriptions, settings.maximum_subscriptions_of_one)


def _watcher(settings: Settings, database: Database, query: QueryService) -> Watcher:
    return Watcher(
        database,
        query,
        delivering(settings),
        settings.public_url,
        shows_details=settings.environment_access != AUTHENTICATED,
        kept_days=settings.notifications_kept_days,
    )


def _warn(settings: Settings) -> None:
    if settings.enable_github_auth and settings.github_key is None:
        log.warning("ENABLE_GITHUB_AUTH is set, but sign-in by GitHub needs GITHUB_KEY and GITHUB_SECRET")
    for sentence in old_settings(settings):
        log.warning(sentence)
