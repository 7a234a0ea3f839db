"""A client of the ms1 writes: of reports that Spack 0.16 to 0.18 kept on a disk, or of one's own."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from spackmon.client.transport import Transport, refusal
from spackmon.errors import Code, Refused
from spackmon.formats.bytes.json_body import read_json

_TAKEN = (200, 201)


class Ms1Client:
    """Posts bodies to the ms1 endpoints of one server."""

    def __init__(self, transport: Transport) -> None:
        """`transport` leads to the addresses below the API's prefix."""
        self._transport = transport

    def post(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """The `data` of the answer to `body`, sent to `kind` (`specs/new`).

        Raises Refused when the server is away, refuses the body, or is no monitor.
        """
        headers = {"Content-Type": "application/json"}
        answer = self._transport.request("POST", f"/{kind}/", json.dumps(body).encode(), headers)
        if answer.status not in _TAKEN:
            raise refusal(answer)
        data = answer.json().get("data")
        if not isinstance(data, dict):
            raise Refused(Code.NO_MONITOR, f"{self._transport.base} did not answer as a monitor does")
        return data

    def service_info(self) -> dict[str, Any]:
        """What the server says about itself. Raises Refused."""
        answer = self._transport.request("GET", "/")
        if answer.status not in _TAKEN:
            raise refusal(answer)
        return answer.json()

    def upload_specfile(self, path: Path, spack_version: str) -> dict[str, Any]:
        """Post a spec document, wrapped in `spec` or not. Raises Refused FILE_UNREADABLE."""
        try:
            document = read_json(path.read_bytes())
        except OSError as error:
            raise Refused(Code.FILE_UNREADABLE, f"cannot read {path}: {error.strerror}") from None
        return self.post("specs/new", {"spec": document, "spack_version": spack_version})

    def new_configuration(self, documents: Iterable[Any], spack_version: str) -> dict[str, dict[str, Any]]:
        """Post spec documents; the `spec` of each answer by its name."""
        answers = [
            self.post("specs/new", {"spec": document, "spack_version": spack_version})
            for document in documents
        ]
        return {str(data["spec"]["name"]): data["spec"] for data in answers}

    def new_build(
        self, full_hash: str, environment: Mapping[str, str], spack_version: str, tags: Iterable[str]
    ) -> int:
        """Begin a build; its id."""
        body = {**environment, "full_hash": full_hash, "spack_version": spack_version, "tags": ",".join(tags)}
        return int(self.post("builds/new", body)["build"]["build_id"])

    def update_build(self, build_id: int, status: str) -> dict[str, Any]:
        """Set a build's status; the build."""
        return dict(self.post("builds/update", {"build_id": build_id, "status": status})["build"])

    def send_phase(self, build_id: int, name: str, output: Path | None, status: str) -> dict[str, Any]:
        """Report a phase with its log; the phase. Raises Refused FILE_UNREADABLE."""
        try:
            text = None if output is None else output.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise Refused(Code.FILE_UNREADABLE, f"cannot read {output}: {error.strerror}") from None
        body = {"build_id": build_id, "phase_name": name, "status": status, "output": text}
        return dict(self.post("builds/phases/update", body)["build_phase"])
