"""From a report as a build wrote it in a moment to the line that is sent: logs read, the spec's graph added.

A kept report is `{"line": …}`, what is known of it, and `{"collect": …}`, what remains to be read, with the
moment `at` which it was written. Reading takes as long as logs are long; so the build does not do it.
"""

import contextlib
import os
import time
from typing import Any, Dict, List, Optional, Set, Tuple

from . import files
from .spool import Item, Run

_ENDS = frozenset(("SUCCESS", "FAILED", "CANCELLED"))
# A log that goes on is sent from its beginning, whenever it is so many times as long as what was sent of it:
# no more than three times its length in all.
_GROWTH = 1.5
_LONGEST_GROWING_BYTES = 16 << 20


class Packer:
    """Completes the reports of one run, in order."""

    def __init__(self, run: Run) -> None:
        self.unwritten: Dict[str, Dict[str, Any]] = {}
        self._run = run
        self._packed: Set[str] = set()
        self._nodes: Optional[Tuple[int, Dict[str, Any]]] = None
        self._sent_logs: Dict[str, Set[str]] = {}
        self._with_phases: Set[str] = set()
        self._running: Dict[str, Dict[str, Any]] = {}
        self._growing: Dict[str, Tuple[float, int]] = {}
        self._ended_at: Dict[str, Any] = {}

    def pack(self, is_over: bool) -> None:
        """Complete what can be; all of it when the command is over.

        On a full disk no more than one report, which then is in `unwritten`: sending it makes room.
        """
        before, self.unwritten = self.unwritten, {}
        names = self._run.names()
        newest = {self._run.about(name): name for name in names}
        for name, item in self._unpacked(names):
            collect, about = item["collect"], self._run.about(name)
            # The log of a phase is whole when there is news of what came after it.
            is_ready = {None: True, "next": newest[about] > name, "end": about in self._ended_at}
            if is_over or is_ready[collect.get("until")]:
                line = before[name] if name in before else self._complete(item["line"], collect)
                try:
                    self._run.replace(name, {"line": line})
                except OSError:
                    self.unwritten[name] = line
                    return
                self._packed.add(name)
                if collect.get("kept_log"):
                    with contextlib.suppress(OSError):
                        os.unlink(collect["kept_log"])
        if is_over:
            self._cancel_unended()

    def growing(self, every_seconds: float) -> List[Dict[str, Any]]:
        """Reports of phases that go on, with the logs that they have written so far, where these have grown.

        They are no part of the run: one that is lost is made up for by the phase's own report.
        """
        lines = []
        for name, item in self._unpacked(self._run.names()):
            line, collect = item["line"], item["collect"]
            # Of a phase that goes on there is what is reported if it fails.
            if collect.get("until") == "end" and line["spec_hash"] not in self._ended_at:
                grown = [
                    self._grown(line["source"]["key"], phase, every_seconds) for phase in collect["phases"]
                ]
                phases = [phase for phase in grown if phase is not None]
                # If it has ended meanwhile, what was read may be the next one's.
                if phases and self._is_unchanged(name, item):
                    lines.append(dict(line, phases=phases))
        return lines

    def _is_unchanged(self, name: str, item: Item) -> bool:
        try:
            return self._run.item(name) == item
        except (OSError, ValueError):
            return False

    def _grown(self, key: str, phase: Dict[str, Any], every_seconds: float) -> Optional[Dict[str, Any]]:
        name, now = f"{key}/{phase['name']}", time.time()
        since, sent_bytes = self._growing.get(name, (phase.get("began_at", now), 0))
        if now - since < every_seconds or not phase.get("log"):
            return None
        part = files.Slice(*phase["log"])
        if not _GROWTH * sent_bytes < files.size_bytes(part) <= _LONGEST_GROWING_BYTES:
            return None
        log = files.read_slice(part, now) or b""
        whole_lines = log[: log.rfind(b"\n") + 1]
        if len(whole_lines) <= sent_bytes:
            return None
        self._growing[name] = now, len(whole_lines)
        return dict(files.log_field("output", whole_lines), name=phase["name"], status="RUNNING")

    def _unpacked(self, names: List[str]) -> List[Tuple[str, Item]]:
        """The reports that something remains to be read for."""
        unpacked = []
        self._packed.intersection_update(names)
        for name in names:
            if name in self._packed:
                continue
            try:
                item = self._run.item(name)
            except (OSError, ValueError):
                # It was taken by another process, or is nothing of ours.
                continue
            line = item["line"]
            if line.get("status") in _ENDS:
                self._ended_at[self._run.about(name)] = line.get("finished_at")
            if "phases" in line or "phases" in item.get("collect", {}):
                self._with_phases.add(line.get("source", {}).get("key", ""))
            if "collect" in item:
                unpacked.append((name, item))
            else:
                self._packed.add(name)
                self._remember_status(line)
        return unpacked

    def _complete(self, line: Dict[str, Any], collect: Dict[str, Any]) -> Dict[str, Any]:
        written_by = collect["at"]
        was_unpacked = line.get("installed_from") == "BUILD_CACHE"
        found: Dict[str, Any] = {}
        if "phases" in collect:
            ended_at = self._ended_at.get(line["spec_hash"])
            found["phases"] = [_phase(phase, written_by, ended_at) for phase in collect["phases"]]
        if "prefix" in collect:
            with_log = collect.get("log", True)
            found = files.read_prefix(collect["prefix"], written_by, with_log, was_unpacked)
        if "stage" in collect:
            has_failed = line.get("status") == "FAILED"
            written = line.get("started_at", 0.0), written_by
            found = files.read_stage(collect["stage"], collect["log_path"], written, has_failed)
        if "spec_file" in collect:
            found["spec"] = files.read_json(collect["spec_file"])
        if "document" in collect:
            found["spec"] = self._document(collect["document"])
        found = {name: value for name, value in found.items() if value is not None}
        # What Spack itself said in this run goes before what was found on the disk.
        found.update(line)
        if found.get("status") in _ENDS:
            self._add_what_phases_say(found)
        self._leave_out_sent_logs(found)
        self._remember_status(found)
        return found

    def _add_what_phases_say(self, line: Dict[str, Any]) -> None:
        """Which phase a build failed in before it came to any, and that what has phases was built."""
        key = line.get("source", {}).get("key", "")
        has_phases = key in self._with_phases or bool(line.get("phases"))
        # Without its beginning it may have had phases whose reports another process sent.
        was_watched = key in self._running
        if line["status"] == "FAILED" and was_watched and not has_phases:
            line["phases"] = [_phase_before_all(line)]
            has_phases = True
        if has_phases:
            line.setdefault("installed_from", "SOURCE")

    def _document(self, root: str) -> Optional[Dict[str, Any]]:
        """The graph of one spec of this run; its node comes first."""
        if self._nodes is None or root not in self._nodes[1]:
            nodes: Dict[str, Any] = {}
            versions = {0}
            for version, more in self._run.nodes():
                versions.add(version)
                nodes.update(more)
            self._nodes = max(versions), nodes
        version, nodes = self._nodes
        waiting = [root]
        reached: Dict[str, Any] = {}
        while waiting:
            spec_hash = waiting.pop()
            if spec_hash in reached:
                continue
            if spec_hash not in nodes:
                return None
            reached[spec_hash] = node = nodes[spec_hash]
            edges = list(node.get("dependencies", []))
            if "build_spec" in node:
                edges.append(node["build_spec"])
            waiting.extend(edge["hash"] for edge in reversed(edges))
        return {"_meta": {"version": version}, "nodes": list(reached.values())}

    def _leave_out_sent_logs(self, line: Dict[str, Any]) -> None:
        """A log that went with its phase need not come again with the whole build."""
        key = line.get("source", {}).get("key", "")
        sent = self._sent_logs.setdefault(key, set())
        for phase in line.get("phases", []):
            if phase["name"] in sent:
                phase.pop("output", None)
                phase.pop("output_base64", None)
            elif "output" in phase or "output_base64" in phase:
                sent.add(phase["name"])
        if sent:
            line.pop("log", None)
            line.pop("log_base64", None)

    def _remember_status(self, line: Dict[str, Any]) -> None:
        key = line.get("source", {}).get("key", "")
        if line.get("status") == "RUNNING":
            self._running[key] = line
        elif line.get("status") in _ENDS:
            self._running.pop(key, None)

    def _cancel_unended(self) -> None:
        """The command was killed: what still ran then has ended, too, and nobody else will say so."""
        for line in self._running.values():
            cancelled: Dict[str, Any] = {
                name: line[name] for name in ("type", "source", "spec_hash", "package") if name in line
            }
            with contextlib.suppress(OSError):
                self._run.add({"line": dict(cancelled, status="CANCELLED")}, line.get("spec_hash", ""))
        self._running = {}


def _phase_before_all(line: Dict[str, Any]) -> Dict[str, Any]:
    """What failed, in Spack's own words: the fetching of a binary, or all that comes before a build."""
    is_binary = line.get("installed_from") == "BUILD_CACHE"
    phase = {"name": "fetch" if is_binary else "stage", "status": "ERROR"}
    for name, field in (("log", "output"), ("log_base64", "output_base64")):
        if name in line:
            phase[field] = line.pop(name)
    if "duration_seconds" in line:
        phase["duration_seconds"] = line["duration_seconds"]
    return phase


def _phase(phase: Dict[str, Any], written_by: float, ended_at: Optional[float]) -> Dict[str, Any]:
    completed = {name: value for name, value in phase.items() if name not in ("log", "began_at")}
    if "began_at" in phase and ended_at is not None:
        completed["duration_seconds"] = max(0.0, ended_at - phase["began_at"])
    if phase.get("log"):
        log = files.read_slice(files.Slice(*phase["log"]), max(written_by, ended_at or 0.0))
        if log:
            completed.update(files.log_field("output", log))
    return completed
