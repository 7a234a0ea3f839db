"""What a request finds in `request.state`: the parts of the running service, made once by the app."""

from collections.abc import Mapping

from starlette.datastructures import State

from spackmon.auth.gate import Gate
from spackmon.auth.providers.claims import Provider
from spackmon.auth.providers.pending import SignIns
from spackmon.auth.sessions import Sessions, SignedIn
from spackmon.database import Database
from spackmon.database.replicas import Replica
from spackmon.database.together import Together
from spackmon.formats.specs.known_nodes import KnownNodes
from spackmon.ingest.receipts import PhaseReceipt
from spackmon.ops.health import Watch
from spackmon.ops.jobs import Jobs
from spackmon.ops.memory import Memory
from spackmon.ops.metrics import Metrics
from spackmon.ops.quotas import LatestUse
from spackmon.ops.spool import Spool
from spackmon.query.serve.service import QueryService
from spackmon.query.serve.trusted_documents import TrustedDocuments
from spackmon.settings import Settings
from spackmon.submission import PhaseReport


class Services(State):
    """`Request[Services]` has them typed.

    `request_id`, `signed_in` and `new_form_secret` are of each request.
    """

    settings: Settings
    database: Database
    phases: Together[tuple[PhaseReport, int], PhaseReceipt]
    query: QueryService
    replicas: tuple[Replica, ...]
    trusted_documents: TrustedDocuments
    gate: Gate
    sessions: Sessions
    providers: Mapping[str, Provider]
    sign_ins: SignIns
    signed_in: SignedIn | None
    new_form_secret: str
    spool: Spool
    jobs: Jobs
    known_nodes: KnownNodes
    watch: Watch
    memory: Memory
    metrics: Metrics
    quota_use: LatestUse
    request_id: str
