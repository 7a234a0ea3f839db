"""What is drawn for the arguments of fields that are no connections."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.reference import related
from tests.reference.answers import Reference
from tests.reference.site import MERGED
from tests.reference.values import Dice, Values, Word

Draw = Callable[[], Any]


@dataclass
class Draws:
    """Draws arguments by their fields and names."""

    dice: Dice
    reference: Reference
    values: Values

    def own(self, type_name: str, name: str) -> dict[str, Draw]:
        """The arguments that a field is always given."""
        own: dict[str, dict[str, Draw]] = {
            "Query.abiDiff": {"a": self.hash, "b": self.hash, "first": self.few},
            "Query.abiHistory": {"package": self.package, "first": self.few},
            "Query.analysisDiff": {
                "a": lambda: self.id("AnalysisResult"), "b": lambda: self.id("AnalysisResult"),
                "first": self.few,
            },
            "Attempt.installFolder": {"under": self.folder, "after": self.file, "first": self.few},
            "Build.installFolder": {"under": self.folder, "after": self.file, "first": self.few},
            "Query.advisory": {"identifier": self.identifier},
            "Query.analysisResult": {"id": lambda: self.id("AnalysisResult")},
            "Query.build": {"id": lambda: self.id("Build")},
            "Query.ciRun": {"id": lambda: self.id("CiRun")},
            "Query.commonDependencies": {"hashes": self.whole_hash},
            "Query.diff": {"a": self.hash, "b": self.hash, "ignore": self.package},
            "FlakySpecs.nodes": {"first": self.count},
            "Query.durationChanges": {"after": self.package, "first": self.count, "maximumP": self.most_p},
            "Query.errorGroup": {"fingerprint": self.fingerprint},
            "Query.expectedResources": {"spec": self.to_build, "minimumRuns": self.few},
            "Query.file": {"hash": self.content},
            "Query.impact": {"of": self.values.spec},
            "Log.search": {
                "text": self.values.search, "first": self.few, "context": self.few, "fromLine": self.few,
            },
            "Query.logs": {
                "search": self.values.search, "first": self.few, "lines": self.few, "context": self.few,
            },
            "Query.matrix": {
                "rows": self.key, "columns": self.key, "first": self.count,
                "includeInstalled": lambda: self.dice.chance(50),
                "includeFailedToConcretize": self.with_failures,
            },
            "Query.nodes": {"ids": lambda: self.id(self.dice.choice(_with_ids()))},
            "Query.missingNow": {"build": self.any_number},
            "Query.node": {"id": lambda: self.id(self.dice.choice(_with_ids()))},
            "Query.package": {"name": self.package},
            "Query.path": {"from": self.hash, "to": self.package, "first": lambda: self.dice.below(5)},
            "Query.phase": {"id": lambda: self.id("BuildPhase")},
            "Query.satisfies": {"hash": self.hash, "spec": self.values.spec},
            "Query.rebuildsNeeded": {
                "package": self.package, "from": self.version_or_hash, "to": self.version_or_hash,
                "first": self.few,
            },
            "Query.spliceCandidates": {"build": self.number, "package": self.replaced, "first": self.few},
            "Query.spliceMatrix": {
                "package": self.package, "first": self.few, "versions": self.few,
                "afterVersion": lambda: str(self.dice.below(30)),
            },
            "Query.spliceStatements": {"first": self.few},
            "Query.splice": {
                "build": self.number, "replace": self.replaced, "with": self.whole_hash,
                "rule": lambda: Word(self.dice.choice(["LOADER", "SYMBOLATOR"])),
            },
            "Query.spec": self.dice.choice([{"hash": self.hash}, {"id": lambda: self.id("Spec")}]),
        }  # fmt: skip
        if name == "groupBy":
            noun = type_name.removesuffix("Connection")
            return {"keys": lambda: self.keys(noun), "first": self.count}
        return own.get(f"{type_name}.{name}", {})

    def common(self) -> dict[str, Draw]:
        """Arguments that mean the same wherever they are."""
        return {
            "confidence": self.confidence,
            "deptypes": lambda: Word(self.dice.choice(["BUILD", "LINK", "RUN", "TEST"])),
            "depth": lambda: self.dice.below(4),
            "hashes": lambda: self.dice.chance(50),
            "includeInstalled": lambda: self.dice.chance(50),
            "fromLine": self.line,
            "toLine": self.line,
            "lookBackDays": self.days,
            "matchedBy": lambda: Word(self.dice.choice(["HASH", "CONFIGURATION", "ANY_VERSION"])),
            "maximumDepth": lambda: self.dice.below(4),
            "minimumChanges": lambda: 1 + self.dice.below(2),
            "minimumRuns": lambda: 2 + self.dice.below(2),
            "offset": lambda: self.dice.below(3),
            "package": self.package,
            "rootCausesOnly": lambda: self.dice.chance(50),
            "since": lambda: self.dice.choice(
                [one for one in self.values.pools.of("Attempt", "startedAt") if one]
            ),
            "search": self.values.search,
            "unchanged": lambda: self.dice.chance(50),
            "acrossMachines": lambda: self.dice.chance(50),
            "as": lambda: Word(self.dice.choice(["SPACK_1_2", "SPACK_1_3"])),
            "order": lambda: Word(self.dice.choice(["PRE", "POST", "BREADTH", "TOPOLOGICAL"])),
            "template": self.template,
            "types": lambda: self.dice.chance(50),
            "verdict": lambda: Word(self.dice.choice(["UNKNOWN", "BREAKS"])),
        }

    def with_failures(self) -> bool:
        """Whether failures to concretize are counted, which have few of the keys."""
        counted = self.dice.chance(30)
        self.values.faults += counted
        return counted

    def file(self) -> str:
        """The name of an installed file."""
        paths = self.values.pools.of("InstallFile", "path")
        return self.dice.choice(paths).rpartition("/")[2] if paths else ""

    def folder(self) -> str:
        """A directory that has an installed file, or its prefix; a file is one without anything."""
        paths = self.values.pools.of("InstallFile", "path")
        parts = self.dice.choice(paths).split("/") if paths else [""]
        return "/".join(parts[: self.dice.below(len(parts) + 1)])

    def line(self) -> int:
        """A line of a log, from its beginning or from its end; two of them may be the wrong way round."""
        self.values.faults += 1
        return self.dice.choice([-9, -2, -1, 1, 2, 3, 9])

    def package(self) -> str:
        """A package's name."""
        return self.dice.choice([*self.values.pools.of("Package", "name"), "none"])

    def confidence(self) -> float:
        """How surely something is known, which may be too surely."""
        self.values.faults += 1
        return self.dice.choice([0.5, 0.95, 0.999, 1.0])

    def most_p(self) -> float:
        """How likely something is at most, which may be too likely."""
        self.values.faults += 1
        return self.dice.choice([1.0, 1.0, 0.5, 0.0])

    def days(self) -> int:
        """How many days, which may be none."""
        self.values.faults += 1
        return self.dice.choice([0, 1, 2, 90])

    def version_or_hash(self) -> str:
        """A version, or a whole hash of a spec, of a package that may be another."""
        self.values.faults += 1
        versions = self.values.pools.of("PackageVersion", "version")
        return self.whole_hash() if self.dice.chance(30) else str(self.dice.choice(versions))

    def number(self) -> str:
        """The number of a build."""
        return str(self.dice.choice(self.reference.rows.all(related.MODELS["Build"])).id)

    def any_number(self) -> str:
        """The number of a build, whose spec may not be known."""
        self.values.faults += 1
        return self.number()

    def to_build(self) -> str:
        """What may be built: of a text or by its hash."""
        self.values.faults += 1
        return f"/{self.whole_hash()}" if self.dice.chance(40) else self.values.spec()

    def replaced(self) -> str:
        """A package's name, of one that is in the build's graph or in none."""
        self.values.faults += 1
        return self.package()

    def key(self) -> str:
        """What rows are grouped by."""
        return self.keys("Build", of=1)[0]

    def keys(self, of_type: str, of: int | None = None) -> list[str]:
        """What rows are grouped by."""
        type_: Any = self.reference.schema.type_map[f"{of_type}GroupKey"]
        count = self.dice.below(4) if of is None else of
        keys = [Word(self.dice.choice(list(type_.values))) for _ in range(count)]
        if len(set(keys)) < len(keys):
            self.values.faults += 1
        return keys

    def few(self) -> int:
        """How many of something, which may be too few."""
        self.values.faults += 1
        return self.dice.below(5)

    def count(self) -> int:
        """How many groups."""
        if self.dice.chance(2):
            self.values.faults += 1
            return self.dice.choice([-1, 501])
        return self.dice.below(6)

    def fingerprint(self) -> str:
        """A fingerprint of a group of errors."""
        return self.dice.choice([*self.values.pools.of("ErrorGroup", "fingerprint"), "none"])

    def identifier(self) -> str:
        """The identifier of an advisory."""
        return self.dice.choice([*self.values.pools.of("Advisory", "identifier"), "none"])

    def content(self) -> str:
        """The hash of a file's content."""
        return self.dice.choice([*self.values.pools.of("InstallFile", "hash"), "none"])

    def template(self) -> str:
        """A format string."""
        if self.dice.chance(5):
            self.values.faults += 1
            return "{name"
        return self.dice.choice(
            ["{name}{@version}", "{name}{/hash:7} {compiler}", "{architecture}%", "é{variants}"]
        )

    def id(self, type_name: str) -> Any:
        """An id of a type."""
        rows = self.reference.rows.all(related.MODELS[type_name])
        row_id = self.dice.choice(rows).id if rows else 1
        if self.dice.chance(3):
            self.values.faults += 1
            return self.dice.choice(
                ["", "x", "Spec:Spec:1", f"{type_name}:", "9" * 30, "-1", f"Query:{row_id}"]
            )
        if type_name == "Build":
            known = [str(row_id), int(row_id), f"Build:{row_id}", str(MERGED)]
            return self.dice.choice([*known, "999999"])
        return self.dice.choice([f"{type_name}:{row_id}", f"{type_name}:999999"])

    def whole_hash(self) -> str:
        """A whole hash of a spec."""
        return str(self.dice.choice(self.values.pools.of("SpecHash", "value")))

    def hash(self) -> str:
        """A hash of a spec, or its beginning."""
        if self.dice.chance(15):
            builds = self.reference.rows.all(related.MODELS["Build"])
            return f"Build:{self.dice.choice([one.id for one in builds if one.spec_id is not None])}"
        value = self.whole_hash()
        if self.dice.chance(30):
            self.values.faults += 1
            return value[: 4 + self.dice.below(12)]
        return value


def _with_ids() -> list[str]:
    return sorted(name for name, model in related.MODELS.items() if hasattr(model, "id"))
