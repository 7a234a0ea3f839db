"""Documents that a request names by the hexadecimal SHA-256 of their text.

It stands in `documentId`, or in `extensions.persistedQuery.sha256Hash` (Apollo's automatic persisted
queries). A server with a folder of trusted documents answers those alone; every other keeps what clients
named and sent for as long as there is room for it.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphql import GraphQLError, GraphQLSchema, parse, validate

from spackmon.errors import Code, Refused
from spackmon.recent import Recent

_BYTES_OF_AN_ENTRY, _BYTES_OF_A_CHARACTER = 500, 4


class TrustedDocuments:
    """The documents that a server answers; all, if there is no folder of them.

    What clients name has its place in `recent`.
    """

    def __init__(self, recent: Recent, texts: Mapping[str, str] | None = None) -> None:
        self._recent = recent
        self._texts = texts

    @classmethod
    def of(cls, directory: Path | None, schema: GraphQLSchema, recent: Recent) -> "TrustedDocuments":
        """The `*.graphql` files of a folder. Raises Refused when one cannot be read or asked."""
        if directory is None:
            return cls(recent)
        texts: dict[str, str] = {}
        try:
            if not directory.is_dir():
                raise _unusable(directory, "there is no such folder")
            for path in sorted(directory.rglob("*.graphql")):
                text = path.read_text(encoding="utf-8")
                if errors := validate(schema, parse(text)):
                    raise _unusable(path, errors[0].message)
                # An editor ends a file with a newline that a client need not send.
                texts |= {_sha256(one): text for one in (text, text.strip())}
        except (OSError, UnicodeDecodeError, GraphQLError) as error:
            raise _unusable(directory, str(error)) from error
        return cls(recent, texts)

    def document(self, query: str | None, identifier: str | None) -> str:
        """The text of the document that a request means; Refused if that is not to be answered."""
        if query is not None:
            if identifier is not None and identifier not in (_sha256(query), _sha256(query.strip())):
                raise Refused(
                    Code.PERSISTED_QUERY_DIFFERS, "the SHA-256 beside `query` must be that of its text"
                )
            if self._texts is not None and _sha256(query.strip()) not in self._texts:
                raise Refused(
                    Code.DOCUMENT_NOT_TRUSTED, "this server answers only the documents of its folder"
                )
            return query
        if identifier is None:
            raise Refused(Code.QUERY_MISSING, "`query` must be a string with a GraphQL document")
        # Clients know what to do next by these very words.
        if self._texts is None and self._recent.maximum_bytes == 0:
            raise Refused(Code.PERSISTED_QUERY_NOT_SUPPORTED, "PersistedQueryNotSupported")
        recent: str | None = self._recent.get(("document", identifier))
        text = recent if self._texts is None else self._texts.get(identifier)
        if text is None:
            raise Refused(Code.PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound")
        return text

    def remember(self, query: str, identifier: str) -> None:
        """Keep a valid document under the hash that its client sent with it."""
        if self._texts is None:
            size_bytes = _BYTES_OF_AN_ENTRY + _BYTES_OF_A_CHARACTER * len(query)
            self._recent.put(("document", identifier), query, size_bytes)


def document_identifier(document_id: object, extensions: Mapping[str, Any] | None) -> str | None:
    """The hash that a request names its document by, if it does."""
    persisted = (extensions or {}).get("persistedQuery")
    given = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    given = document_id if document_id is not None else given
    if given is None:
        return None
    if not isinstance(given, str) or not (found := re.fullmatch(r"(?:sha256:)?([0-9a-fA-F]{64})", given)):
        raise Refused(
            Code.DOCUMENT_ID_INVALID, "a document is named by the 64 hexadecimal digits of its SHA-256"
        )
    return found[1].lower()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _unusable(path: Path, reason: str) -> Refused:
    return Refused(Code.SETTING_INVALID, f"PERSISTED_DOCUMENTS: {path} is not usable: {reason}")
