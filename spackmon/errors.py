"""The errors a user can meet: a code, an HTTP status and one sentence that says what to do."""

from enum import StrEnum, auto
from typing import Self

_SENTENCE_CHARACTERS = 1000


class Code(StrEnum):
    """What went wrong, for programs; docs/errors.md lists the codes for people.

    `status` is the HTTP status of an answer. `meaning` is one sentence, true whatever the request was.
    `retryable`: the same request may succeed in a moment although nobody does anything.
    """

    status: int
    meaning: str
    retryable: bool

    def __new__(cls, code: str, status: int, meaning: str, retryable: bool = False) -> Self:
        """A member; `auto()` stands for its name."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.status, member.meaning, member.retryable = status, meaning, retryable
        return member

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[str]) -> str:
        return name

    # Requests
    NOT_FOUND = auto(), 404, "There is nothing at this address."
    FORMATS_MIXED = auto(), 409, "The specs of a graph were told in several formats, and a document has one."
    HTTP_REFUSED = auto(), 400, "The HTTP layer refused the request; the status says why."
    NOT_ACCEPTABLE = auto(), 406, "`Accept` admits none of the media types in which this address answers."
    CONTENT_TYPE_UNSUPPORTED = auto(), 415, "`Content-Type` is not one that this address reads."
    CONTENT_ENCODING_UNKNOWN = auto(), 415, "`Content-Encoding` is not gzip or zstd."
    BODY_TOO_LARGE = auto(), 413, "The body is larger than this address accepts."
    BODY_INCOMPLETE = auto(), 400, "The body ended early, or its compressed form is damaged."
    BODY_NOT_JSON = auto(), 400, "The body is not a JSON object."
    BODY_INVALID = auto(), 400, "The body lacks the shape that the address expects."
    JSON_INVALID = auto(), 400, "A part of the request is not JSON."
    LINE_TOO_LONG = auto(), 413, "One line of a batch is too long; the others are applied."
    FIELD_MISSING = auto(), 400, "A required field is missing."
    FIELD_INVALID = auto(), 400, "A field does not hold what is expected there."
    VALUE_REFUSED = auto(), 400, "A value is too large for the database, or a text holds a NUL character."
    IDEMPOTENCY_KEY_INVALID = auto(), 400, "`Idempotency-Key` is not a short printable ASCII text."
    KIND_UNKNOWN = auto(), 400, "A stored body is of a kind that this version does not read."
    BUSY = auto(), 503, "The server has as much to do as it can: try again.", True
    INTERNAL = auto(), 500, "The server met a fault of its own; what was reported is in the inbox."

    # Who asks
    UNAUTHENTICATED = auto(), 401, "The request carries no token."
    TOKEN_EXPIRED = auto(), 401, "The access token has expired: request a new one."
    TOKEN_INVALID = auto(), 401, "The access token was not issued by this server."
    TOKEN_REVOKED = auto(), 401, "The token was revoked, or its owner disabled."
    CREDENTIALS_WRONG = auto(), 403, "The user name and the token or password do not match."
    BASIC_MALFORMED = auto(), 400, "`Authorization: Basic` is not the base64 of `user:token`."
    SIGN_IN_UNKNOWN = auto(), 400, "The sign-in was not begun in this browser, or is over: begin again."
    SIGN_IN_NOT_ALLOWED = auto(), 403, "The service does not let in who signed in there."
    PROVIDER_AWAY = auto(), 503, "The service to sign in by does not answer: try again.", True
    PROVIDER_REFUSED = auto(), 502, "The service to sign in by did not say who came, or cannot be believed."
    SCOPE_MISSING = auto(), 403, "The token does not allow this."
    SCOPE_EXCEEDS_ROLE = auto(), 403, "The role of the person does not allow this."
    READS_LIMITED = auto(), 429, "Too much was asked at once: wait for `Retry-After` seconds.", True
    GUESSES_LIMITED = auto(), 429, "Too many passwords were wrong: wait for `Retry-After` seconds.", True
    FORM_REFUSED = auto(), 403, "The form was not sent by a page of this service that is still good."
    SESSION_ENDED = auto(), 401, "The session has ended: sign in again."
    SESSION_UNKNOWN = auto(), 404, "The person has no session of this number."
    ROLE_UNKNOWN = auto(), 400, "A person's role is reader, writer or admin."
    BUILD_NOT_YOURS = auto(), 403, "The build belongs to another person."
    SENDER_UNKNOWN = auto(), 403, "An inbox entry does not name the person who sent it."

    # What is reported
    SPEC_UNKNOWN = auto(), 404, "No spec has this hash: report the spec first."
    BUILD_SPEC_UNKNOWN = auto(), 409, "The build waits for its spec: report the spec first."
    BUILD_UNKNOWN = auto(), 404, "No build has this number: begin it first."
    ERROR_GROUP_UNKNOWN = auto(), 404, "No group of errors has this fingerprint."
    SPEC_ABSTRACT = auto(), 400, "The spec is not concrete."
    SPEC_MALFORMED = auto(), 400, "The spec document cannot be read."
    SPACK_VERSION_MISSING = auto(), 400, "The document does not say which Spack wrote it: give the version."
    DOCUMENT_UNKNOWN = auto(), 400, "The file is none of the documents that can be imported."
    DOCUMENT_DAMAGED = auto(), 400, "The document cannot be read."
    DOCUMENT_INCOMPLETE = auto(), 400, "Parts of the document could not be read; the rest is imported."
    DOCUMENT_NEWER = auto(), 400, "A newer Spack wrote the document; what could be read of it is imported."
    DOCUMENT_TOO_LARGE = auto(), 413, "The document is too large once it is unpacked."
    FILE_UNREADABLE = auto(), 400, "The file or directory cannot be opened."
    FILE_UNWRITABLE = auto(), 500, "The file cannot be written."
    FILE_DAMAGED = auto(), 400, "A file of an installation cannot be read."
    FILE_TOO_LARGE = auto(), 413, "The file is too large."
    ELF_UNKNOWN = auto(), 400, "The file is no ELF file."
    ELF_STATIC = auto(), 400, "The loader never reads this ELF file: it has no dynamic segment."
    ELF_DAMAGED = auto(), 400, "The ELF file contradicts itself, or ends early."
    ELF_TOO_COSTLY = auto(), 413, "Reading the ELF file takes too much time or memory."
    NOTHING_FOUND = auto(), 400, "The path holds nothing that can be imported."
    ARCHIVE_DAMAGED = auto(), 400, "The archive cannot be read to its end."
    ARCHIVE_MEMBER_UNREADABLE = auto(), 400, "One member of the archive is left out."
    ARCHIVE_NESTED = auto(), 400, "Archives within a directory are not unpacked: import them one by one."
    ARCHIVE_TOO_LARGE = auto(), 413, "The archive is too large once it is unpacked; the rest is left out."
    ARCHIVE_UNSAFE = auto(), 400, "A member of the archive would be written outside its directory."
    BILL_UNNAMED = auto(), 400, "The bill of materials names no spec."
    BUILDCACHE_EMPTY = auto(), 400, "The buildcache lists no specs."
    LOCAL_SAVE_UNREADABLE = auto(), 400, "A file of `spack install --monitor-save-local` cannot be read."
    JUNIT_UNKNOWN = auto(), 400, "The XML is not a JUnit report of Spack."
    XML_INVALID = auto(), 400, "The body is not XML."
    XML_TOO_LARGE = auto(), 413, "The XML has too many tags or attributes."
    XML_UNSAFE = auto(), 400, "The XML declares entities or a document type."
    CDASH_UNKNOWN = auto(), 400, "The XML is not a CDash report of Spack."
    CDASH_INCOMPLETE = auto(), 400, "The CDash report lacks a part that identifies the build."
    CDASH_INVALID = auto(), 400, "A part of the CDash report or of its address cannot be read."
    PROJECT_UNKNOWN = auto(), 404, "`CDASH_PROJECTS` does not list this project."
    EVENTS_NOT_LISTED = (
        auto(),
        200,
        "The report has more errors or warnings than are listed; it is taken, and kept as it came.",
    )
    MD5_WRONG = auto(), 400, "The body does not have the MD5 that its address states."

    # What is asked
    QUERY_MISSING = auto(), 400, "The request holds no GraphQL document."
    GRAPHQL_PARSE_FAILED = auto(), 400, "The document is not GraphQL."
    GRAPHQL_VALIDATION_FAILED = auto(), 400, "The document does not fit the schema."
    INTROSPECTION_FAILED = auto(), 400, "A question about the schema has no answer."
    INTROSPECTION_DISABLED = auto(), 400, "This server does not answer questions about its schema."
    OPERATION_NAME_INVALID = auto(), 400, "`operationName` is not a string."
    OPERATION_NAME_MISSING = auto(), 400, "The document holds several operations: give `operationName`."
    OPERATION_UNKNOWN = auto(), 400, "The document holds no operation of this name."
    OPERATION_UNSUPPORTED = auto(), 400, "The server does not answer an operation of this kind here."
    VARIABLES_INVALID = auto(), 400, "`variables` do not fit the operation."
    EXTENSIONS_INVALID = auto(), 400, "`extensions` is not a JSON object."
    GRAPHIQL_DISABLED = auto(), 404, "GraphiQL is switched off on this server."
    DOCUMENT_ID_INVALID = auto(), 400, "The identifier of a stored document is not a SHA-256."
    DOCUMENT_NOT_TRUSTED = auto(), 400, "The server answers only the documents in its folder."
    PERSISTED_QUERY_NOT_FOUND = auto(), 400, "No stored document has this hash."
    PERSISTED_QUERY_DIFFERS = auto(), 400, "The hash beside `query` is not that of its text."
    QUERY_DOCUMENT_TOO_LARGE = auto(), 400, "The document has too many bytes."
    DOCUMENT_TOO_REPETITIVE = auto(), 400, "The document asks for the same fields, or spreads, too often."
    ARGUMENT_TOO_LONG = auto(), 400, "A text that decides what is asked is too long."
    PERSISTED_QUERY_NOT_SUPPORTED = auto(), 400, "The server stores no documents: send `query`."
    TOO_MANY_TOKENS = auto(), 400, "The document has too many words and signs."
    TOO_MANY_ALIASES = auto(), 400, "The document has too many aliases."
    QUERY_TOO_DEEP = auto(), 400, "The operation or a spec in it is nested too deeply."
    QUERY_TOO_LARGE = auto(), 400, "The operation selects too many fields."
    QUERY_TOO_COSTLY = auto(), 400, "The operation costs more than the limit: ask for fewer rows or fields."
    STATEMENT_TIMEOUT = auto(), 503, "The database reached its time limit: ask for less."
    ARGUMENT_INVALID = auto(), 400, "An argument does not hold what is expected there."
    ID_INVALID = auto(), 400, "The `id` is not one of this schema."
    HASH_TOO_SHORT = auto(), 400, "A prefix of a hash needs more characters."
    SPEC_HASH_AMBIGUOUS = auto(), 400, "Several specs have a hash with this prefix."
    SPEC_SYNTAX = auto(), 400, "The text is no spec; `position` is the offset of the first wrong character."
    FORMAT_INVALID = auto(), 400, "`template` cannot be rendered."
    SEARCH_INVALID = auto(), 400, "`search` has no word, too many, or a quotation mark alone."
    FILTER_NULL = auto(), 400, "A filter is null where a value is needed."
    FILTER_TOO_DEEP = auto(), 400, "The filters are nested too deeply."
    ORDER_INVALID = auto(), 400, "An `orderBy` entry does not have exactly one field."
    GROUPS_INVALID = auto(), 400, "`groupBy` repeats a key, or makes too many groups."
    PAGE_INVALID = auto(), 400, "The arguments of a page contradict each other, or are negative."
    PAGE_TOO_LARGE = auto(), 400, "The page has more rows than a page may have."
    CURSOR_EXPIRED = auto(), 400, "The changes after the cursor are not kept any longer: begin anew."
    CURSOR_INVALID = auto(), 400, "The cursor is not from this list in this order."
    LIMIT_INVALID = auto(), 400, "`limit` is not a whole number above 0."
    OFFSET_INVALID = auto(), 400, "`offset` is not a whole number from 0."
    OFFSET_TOO_LARGE = auto(), 400, "`offset` is too large: follow `next`."
    RANGE_INVALID = auto(), 416, "`Range` names no byte that there is."
    EXPORT_INVALID = auto(), 400, "The operation cannot be exported."
    EXPORT_NEEDS_HTTP_1_1 = auto(), 505, "An export needs HTTP/1.1."
    EXPORTS_BUSY = auto(), 503, "Too many exports are running: try again.", True
    SUBSCRIPTIONS_BUSY = auto(), 503, "There are as many subscriptions as there may be: try again.", True
    SUBSCRIBER_TOO_SLOW = auto(), 503, "The client takes too few updates: go on after the last one.", True
    ORIGIN_REFUSED = auto(), 403, "Pages of this origin may not open a WebSocket here."
    NOTHING_BUILT = auto(), 404, "The upload belongs to no build."

    # The database
    DATABASE_UNAVAILABLE = auto(), 503, "The database is away, full or cannot be written: try again.", True
    DATABASE_BUSY = auto(), 503, "Others use the database for as long as a request waits: try again.", True
    DATABASE_UNPREPARED = auto(), 503, "The database lacks something that an operator has to do first."
    DATABASE_NOT_MIGRATED = auto(), 503, "The database is at an older revision: run `spackmon db upgrade`."
    DATABASE_TOO_NEW = auto(), 503, "A newer spackmon migrated the database: update this one."
    DATABASE_DAMAGED = auto(), 500, "The database contradicts itself: run `spackmon db check`."
    DATABASE_DIFFERS = auto(), 500, "`spackmon db check` found stored facts that differ from derived ones."
    DATABASE_ERROR = auto(), 500, "The database refused a statement."

    # Settings and commands
    SETTING_INVALID = auto(), 500, "A setting has a value that cannot be used."
    SETTING_UNKNOWN = auto(), 500, "A name is not that of a setting."
    SECRET_NOT_MADE = auto(), 503, "The secret in the data directory cannot be made yet: try again.", True
    SECRET_UNUSABLE = auto(), 500, "The secret in the data directory cannot be used."
    ADDRESS_UNUSABLE = auto(), 500, "The service cannot listen on this address."
    SOCKET_UNUSABLE = auto(), 500, "The socket that the service inherited cannot be used."
    SERVER_NOT_INSTALLED = auto(), 500, "The command needs the server: `pip install 'spackmon[server]'`."
    PERSON_EXISTS = auto(), 409, "A person has this name already."
    PERSON_UNKNOWN = auto(), 404, "No person has this name."
    PERSON_DISABLED = auto(), 403, "The person was disabled."
    PERSON_NAME_INVALID = auto(), 400, "The name of a person has characters that are not allowed."
    IDENTITY_TAKEN = auto(), 409, "The identity at another service is another person's here."
    IDENTITY_UNKNOWN = auto(), 404, "The person has no identity of this number."
    GROUP_EXISTS = auto(), 409, "A group has this name already."
    GROUP_UNKNOWN = auto(), 404, "No group has this name."
    GROUP_NAME_INVALID = auto(), 400, "The name of a group has characters that are not allowed."
    VISIBILITY_INVALID = auto(), 400, "A group was given to what is not PRIVATE."
    PASSWORD_TOO_SHORT = auto(), 400, "The password is too short."
    TOKEN_UNKNOWN = auto(), 404, "No token has this number."
    SCOPE_UNKNOWN = auto(), 400, "A token cannot be for this."
    INBOX_ENTRY_UNKNOWN = auto(), 404, "The inbox has no entry of this number."
    SPOOL_REPORT_UNKNOWN = auto(), 404, "The spool has set no report of this name aside."
    REPLAY_INCOMPLETE = auto(), 400, "Some inbox entries could not be applied and stay in the inbox."
    RULE_UNKNOWN = auto(), 404, "No rule has this name."
    RULE_EXISTS = auto(), 409, "A rule has this name already."
    RULE_INVALID = auto(), 400, "A part of the rule cannot be used."
    TEMPLATE_INVALID = auto(), 400, "A chat's template cannot be rendered, or what it renders is not JSON."
    WEBHOOK_INVALID = auto(), 400, "The address of a webhook cannot be used."
    ADDRESS_PRIVATE = auto(), 403, "A webhook leads to an address that is none of the Internet."
    MAIL_ADDRESS_INVALID = auto(), 400, "The text is not one mail address."
    DELIVERY_UNKNOWN = auto(), 404, "No message has this id."
    DELIVERY_FAILED = auto(), 502, "A message could not be delivered; its receiver's answer is quoted."
    IMPORT_INCOMPLETE = auto(), 400, "Some documents, or rows of an old server, could not be stored."
    BACKUP_DAMAGED = auto(), 400, "The backup cannot be read, or is not what was written."
    LOG_UNAVAILABLE = auto(), 503, "The text of a log is in a store that does not give it now.", True
    LOG_STORE_MISSING = auto(), 400, "A store of logs is asked by obstore, which is not installed."
    TRACES_MISSING = auto(), 400, "Traces are sent by OpenTelemetry, which is not installed."
    PARQUET_MISSING = auto(), 400, "Parquet is written by pyarrow, which is not installed."
    COPY_TARGET_USED = auto(), 400, "The database that is to be filled has rows of its own."
    OLD_DATABASE_UNREADABLE = auto(), 400, "There is no database of the old server that can be read."
    IMPORT_INTERRUPTED = auto(), 500, "The process that reads for an import ended before it had read all."
    CLAIM_UNKNOWN = auto(), 404, "No claim has this id."
    CLAIMS_EQUAL = auto(), 400, "The same claim was named twice."

    # The client
    URL_INVALID = auto(), 400, "The address of the server is not an HTTP URL."
    SERVER_AWAY = auto(), 503, "The server did not answer: try again.", True
    SERVER_REFUSED = auto(), 400, "The server refused the request; its status and sentence are quoted."
    NO_MONITOR = auto(), 502, "What answered at this address is not a spackmon server."
    DOCUMENT_NOT_PAGED = auto(), 400, "The document cannot be read page by page."


class Refused(Exception):  # noqa: N818 -- an answer, not a fault of the program
    """An input that cannot be applied.

    `code` is for programs, `status` for HTTP: the code's own, unless another protocol demands one. `sentence`
    is for the sender: it names the field and what was expected. What it quotes may be anything a client
    sent, and it goes into answers, logs and the database: characters that one of them cannot hold are
    escaped, and it is cut. `retry_seconds` is how long to wait, where
    that is known. `position` is the offset, from 0, of the character that could not be read, where
    the input is a text that people write.
    """

    def __init__(
        self,
        code: Code,
        sentence: str,
        *,
        status: int | None = None,
        position: int | None = None,
        retry_seconds: int | None = None,
    ) -> None:
        self.code = code
        self.retry_seconds = retry_seconds
        self.status = code.status if status is None else status
        self.position = position
        self.sentence = printable(sentence, _SENTENCE_CHARACTERS)
        super().__init__(self.sentence)

    @classmethod
    def reported(cls, code: str, sentence: str) -> "Refused":
        """What another program refused, of whose codes this one may not know all."""
        if code in Code.__members__:
            return cls(Code[code], sentence)
        return cls(Code.SERVER_REFUSED, f"{code}: {sentence}")


def printable(text: str, maximum_characters: int | None = None) -> str:
    """`text`, cut, with escapes for what is not printable: a terminal would obey it, a database refuse it."""
    if maximum_characters is not None and len(text) > maximum_characters:
        text = text[: maximum_characters - 1] + "…"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
