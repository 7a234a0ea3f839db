"""The root of every question: one type, whose fields stand together as clients read them."""

import strawberry

from spackmon import models
from spackmon.query.abi import differing, replacing, statements
from spackmon.query.abi.splicing import files_of_splice, spliced
from spackmon.query.graph import graph_questions as questions
from spackmon.query.graph.impact import impact_of
from spackmon.query.graph.results import MOST_CHANGES, TWO_RESULTS, results_compared
from spackmon.query.groups import comparison
from spackmon.query.groups.comparison import changed_since, compared
from spackmon.query.groups.durations import COST_OF_CHANGES, changes_of_durations, rows_of_durations
from spackmon.query.groups.expected import COST_OF_EXPECTING, expected, runs_to_expect_by
from spackmon.query.groups.flaky import flaky
from spackmon.query.groups.tabulating import tabulated
from spackmon.query.meanings.fields import (
    JUDGED_AS,
    argument,
    computed,
    connection,
    counted,
    embedded,
    json_value,
    lookup,
    node_lookup,
    nodes_lookup,
    satisfies,
    searched_logs,
)
from spackmon.query.meanings.live import newest_cursor
from spackmon.query.rows.facets import all_builds
from spackmon.query.rows.lookups import (
    MAXIMUM_IDS,
    advisory_by_identifier,
    by_id,
    error_group_by_fingerprint,
    file_by_hash,
    package_by_name,
    spec_by_hash_or_id,
)
from spackmon.query.speclang.satisfying import build_satisfies, spec_satisfies
from spackmon.schema.abi import AbiDifference, AbiHistory
from spackmon.schema.advisory import Advisory
from spackmon.schema.analysis import AnalysisResult, EarlierResult
from spackmon.schema.architecture import Architecture, Target
from spackmon.schema.attempt import BuildPhase
from spackmon.schema.build import Build
from spackmon.schema.buildcache import Buildcache, BuildcacheEntry
from spackmon.schema.ci import CiJob, CiRun
from spackmon.schema.comparison import BEFORE_AND_AFTER, TWO_SETS, RunComparison
from spackmon.schema.compiler import Compiler
from spackmon.schema.concretization import ConcretizationFailure
from spackmon.schema.connection import Connection
from spackmon.schema.dependency import Deptype
from spackmon.schema.durations import DURATIONS_SINCE, DurationChanges
from spackmon.schema.environment import BuildEnvironment
from spackmon.schema.event import ErrorGroup
from spackmon.schema.expected import EXPECTED_OF, ExpectedResources
from spackmon.schema.flaky import FLAKY_AMONG, FlakySpecs
from spackmon.schema.graph import CommonDependency, GraphDifference, SpecPath
from spackmon.schema.groups import (
    AttemptConnection,
    BuildConnection,
    BuildEventConnection,
    BuildGroupKey,
    BuildPhaseConnection,
    DependencyConnection,
    InstallFileConnection,
    Matrix,
    SpecConnection,
)
from spackmon.schema.impact import Impact
from spackmon.schema.install_file import InstallFile
from spackmon.schema.log_event import LogEvent
from spackmon.schema.node import Node
from spackmon.schema.notifications import NotificationChannel, NotificationDelivery, NotificationRule
from spackmon.schema.noun import input_of, object_type
from spackmon.schema.package import Package, PackageVersion
from spackmon.schema.person import Person
from spackmon.schema.result_difference import ResultDifference
from spackmon.schema.searching import LogSearch
from spackmon.schema.spack_environment import LockFile, LockFileRoot, SpackEnvironment
from spackmon.schema.spec import Spec
from spackmon.schema.splice import (
    MissingNow,
    RebuildsNeeded,
    Splice,
    SpliceCandidates,
    SpliceMatrix,
    SpliceRule,
    SpliceStatements,
    SpliceVerdict,
)
from spackmon.schema.tag import Tag

_ID = argument("id", strawberry.ID, "Its id.")
_DEPTYPES = argument(
    "deptypes", list[Deptype] | None, "Only along edges of these deptypes; by default of any."
)


@object_type
class Query:
    """The queries."""

    node: Node | None = node_lookup(description="The object with this id, or null.")
    nodes: list[Node | None] = nodes_lookup(
        most=MAXIMUM_IDS, description="The objects with these ids, in their order; null where there is none."
    )
    spec: Spec | None = lookup(
        models.Spec,
        spec_by_hash_or_id,
        [
            argument(
                "hash",
                str | None,
                "Any hash of the spec, or at least 7 characters that only its hashes start with; or a "
                "build of it, as `Build:12`.",
            ),
            argument("id", strawberry.ID | None, "Its id."),
        ],
        description="One spec, or null.",
    )
    package: Package | None = lookup(
        models.Package,
        package_by_name,
        [argument("name", str, "Its name.")],
        description="One package, or null.",
    )
    build: Build | None = lookup(models.Build, by_id("Build"), [_ID], description="One build, or null.")
    phase: BuildPhase | None = lookup(
        models.Phase, by_id("BuildPhase"), [_ID], description="One phase of a build, or null."
    )
    error_group: ErrorGroup | None = lookup(
        models.ErrorGroup,
        error_group_by_fingerprint,
        [argument("fingerprint", str, "The fingerprint that its errors share, a hash.")],
        description="One group of errors, or null.",
    )
    file: InstallFile | None = lookup(
        models.InstallFile,
        file_by_hash,
        [argument("hash", str, "The hash of its content, as the manifests of installs have it.")],
        description="The first installed file with this content, or null; its `copies` are all of them.",
    )
    analysis_result: AnalysisResult | None = lookup(
        models.Attribute, by_id("AnalysisResult"), [_ID], description="One finding of an analyzer, or null."
    )
    advisory: Advisory | None = lookup(
        models.Advisory,
        advisory_by_identifier,
        [argument("identifier", str, "As `CVE-2022-37434`.")],
        description="One stored advisory, or null.",
    )
    advisories: Connection[Advisory] = connection(
        models.Advisory, description="All stored advisories, the one that was first loaded last first."
    )
    specs: SpecConnection = connection(
        models.Spec, satisfying=spec_satisfies, description="All specs, the latest first."
    )
    packages: Connection[Package] = connection(models.Package, description="All packages.")
    package_versions: Connection[PackageVersion] = connection(
        models.PackageVersion, description="All versions of all packages."
    )
    compilers: Connection[Compiler] = connection(models.Compiler, description="All compilers.")
    architectures: Connection[Architecture] = connection(
        models.Architecture, description="All architectures that specs are built for."
    )
    targets: Connection[Target] = connection(models.Target, description="All microarchitectures.")
    dependencies: DependencyConnection = connection(models.Dependency, description="All edges of all graphs.")
    builds: BuildConnection = connection(
        models.Build,
        satisfying=build_satisfies,
        counted=all_builds,
        description="All builds, the latest first.",
    )
    attempts: AttemptConnection = connection(
        models.Attempt, description="All runs of all builds, the latest first."
    )
    phases: BuildPhaseConnection = connection(
        models.Phase, description="All phases of all runs, the latest first."
    )
    events: BuildEventConnection = connection(
        models.BuildEvent,
        words=models.BuildEvent.search_words,
        description="All errors and warnings of all runs, the latest first.",
    )
    logs: LogSearch = searched_logs(
        [
            argument("search", str, "What is sought: words in one line, as a filter's `search`."),
            argument("where", input_of("BuildPhaseFilter") | None, "Only logs of these phases."),
            argument("first", int, "How many logs at most, up to 100.", 20),
            argument("lines", int, "How many lines of each at most, up to 20.", 3),
            argument("context", int, "How many lines above and below each, up to 10.", 0),
            argument("after", str | None, "Only logs after this `endCursor`."),
        ],
        description="Whole logs, looked through as they are read, the latest first: at most 16 MB or 500 "
        "chunks in one answer, which says how much that was and where to go on.",
    )
    log_events: Connection[LogEvent] = connection(
        models.LogEvent,
        words=models.LogEvent.search_words,
        description="What all logs say went wrong; equal logs are one.",
    )
    error_groups: Connection[ErrorGroup] = connection(
        models.ErrorGroup, description="All groups of errors that differ only in paths and numbers."
    )
    environments: Connection[BuildEnvironment] = connection(
        models.BuildEnvironment, description="All machines that builds ran on."
    )
    spack_environments: Connection[SpackEnvironment] = connection(
        models.SpackEnvironment, description="All environments of Spack that lock files were reported of."
    )
    ci_run: CiRun | None = lookup(models.CiRun, by_id("CiRun"), [_ID], description="One CI run, or null.")
    ci_runs: Connection[CiRun] = connection(
        models.CiRun, description="All CI runs, the one that was first reported last first."
    )
    ci_jobs: Connection[CiJob] = connection(models.CiJob, description="All jobs of CI runs.")
    lock_files: Connection[LockFile] = connection(
        models.LockFile, description="All lock files, the one that was first reported last first."
    )
    lock_file_roots: Connection[LockFileRoot] = connection(
        models.LockFileRoot, description="What all environments ask for, of all their lock files."
    )
    buildcaches: Connection[Buildcache] = connection(
        models.Buildcache, description="All buildcaches and mirrors that were imported."
    )
    buildcache_entries: Connection[BuildcacheEntry] = connection(
        models.BuildcacheEntry, description="What all buildcaches have, or should have."
    )
    install_files: InstallFileConnection = connection(models.InstallFile, description="All installed files.")
    analysis_results: Connection[AnalysisResult] = connection(
        models.Attribute, description="All findings of analyzers."
    )
    earlier_results: Connection[EarlierResult] = connection(
        models.EarlierAttribute, description="All findings of analyzers that later ones replaced."
    )
    concretization_failures: Connection[ConcretizationFailure] = connection(
        models.ConcretizationFailure, description="All failures to concretize, latest first."
    )
    tags: Connection[Tag] = connection(models.Tag, description="All tags of builds.")
    people: Connection[Person] = connection(models.Person, description="All people with an account.")
    notification_rules: Connection[NotificationRule] = connection(
        models.NotificationRule,
        description="All rules of what people are told of; only administrators see any.",
    )
    notification_channels: Connection[NotificationChannel] = connection(
        models.NotificationChannel, description="How messages of rules go; only administrators see any."
    )
    notification_deliveries: Connection[NotificationDelivery] = connection(
        models.NotificationDelivery,
        description="Messages of all rules, the latest first; only administrators see any.",
    )
    compare_runs: RunComparison = compared(
        TWO_SETS,
        description="What differs between two sets of runs: what newly fails, what is repaired, what is new.",
    )
    newly_failing: AttemptConnection = changed_since(
        (comparison.NEWLY_FAILING, comparison.ADDED_FAILING),
        BEFORE_AND_AFTER,
        description="What failed when it last ran since a moment, and had passed before, or had not run: the "
        "last runs.",
    )
    newly_fixed: AttemptConnection = changed_since(
        (comparison.NEWLY_PASSING,),
        BEFORE_AND_AFTER,
        description="What passed when it last ran since a moment, and had failed before: the last runs.",
    )
    still_failing: AttemptConnection = changed_since(
        (comparison.STILL_FAILING,),
        BEFORE_AND_AFTER,
        description="What failed when it last ran since a moment, as it had before: the last runs.",
    )
    flaky: FlakySpecs = flaky(
        FLAKY_AMONG,
        description="What passes and fails by turns: one spec in one environment, of which only runs count "
        "that passed or failed by themselves.",
    )
    duration_changes: DurationChanges = counted(
        rows_of_durations,
        changes_of_durations,
        arguments=DURATIONS_SINCE,
        cost=COST_OF_CHANGES,
        description="Which phases of which packages take longer since a moment, or less time: of phases and "
        "runs that ended well, on the same machine, for the same target, with the same variants.",
    )
    expected_resources: ExpectedResources = counted(
        runs_to_expect_by,
        expected,
        arguments=EXPECTED_OF,
        cost=COST_OF_EXPECTING,
        description="What a build will probably need, by the nearest runs before it.",
    )
    matrix: Matrix = tabulated(
        BuildGroupKey,
        input_of("BuildFilter"),
        description="Builds counted in rows and columns, as package by compiler; each once in a cell.",
    )
    change_cursor: str = json_value(
        lambda _, json: newest_cursor(json),
        description="Where changes stand: a subscription that begins `after` it misses nothing which this "
        "answer does not show.",
    )
    satisfies: bool = satisfies(
        models.Spec,
        spec_by_hash_or_id,
        spec_satisfies,
        [
            argument("hash", str, "A hash of the spec, as in `spec`."),
            argument("spec", str, "What it may satisfy, in Spack's spec language."),
            JUDGED_AS,
        ],
        description="Whether a spec satisfies another, as Spack judges.",
    )
    impact: Impact = embedded(
        arguments=[
            argument("of", str, "What changes, in Spack's spec language, as `openssl@1.1`."),
            JUDGED_AS,
        ],
        limits=impact_of,
        description="What a change of a package affects: everything that contains it.",
    )
    path: list[SpecPath] = computed(
        questions.FROM_GRAPH,
        questions.paths,
        arguments=[
            argument("from", str, "A hash of the spec, as in `spec`."),
            argument("to", str, "What it depends on: a package's name, or a hash or its beginning."),
            _DEPTYPES,
            argument("first", int, "How many paths at most, up to 100.", 10),
        ],
        specs=questions.graphs_of("from"),
        description="Why a spec is in another's graph: the shortest paths to it.",
    )
    diff: GraphDifference = computed(
        questions.TWO_GRAPHS,
        questions.difference,
        arguments=[
            argument("a", str, "A hash of the first spec, or a build of it, as `Build:12`."),
            argument("b", str, "A hash of the second spec, or a build of it."),
            argument("unchanged", bool, "Whether `nodes` also lists specs that are the same in both.", True),
            argument("ignore", list[str] | None, "Packages and virtuals that `facts` leave out."),
        ],
        specs=questions.graphs_of("a", "b"),
        description="What differs between two specs and all they depend on.",
    )
    splice: Splice = counted(
        files_of_splice,
        spliced,
        arguments=[
            argument("build", strawberry.ID, "The build, all of whose graph is concerned."),
            argument("replace", str, "The name of a package in its graph."),
            argument("with", str, "A hash of the spec that takes its place, as in `spec`."),
            argument("rule", SpliceRule, "By what it is judged.", SpliceRule.LOADER),
        ],
        description="Whether programs still start when another build of a package takes its place, by the "
        "loader's rules and from what imports stored of ELF files.",
    )
    missing_now: MissingNow = counted(
        replacing.files_of_build,
        replacing.missing_now,
        arguments=[argument("build", strawberry.ID, "The build.")],
        description="What the loader refuses of a build's programs and libraries today, as `ldd -r` of all.",
    )
    splice_candidates: SpliceCandidates = counted(
        replacing.files_of_candidates,
        replacing.splice_candidates,
        arguments=[
            argument("build", strawberry.ID, "The build, all of whose graph is concerned."),
            argument("package", str, "The name of a package in its graph."),
            argument("first", int, "How many specs at most, up to 50.", 20),
            argument("after", str | None, "Only those after this `endCursor`."),
        ],
        specs=replacing.CANDIDATES,
        description="What every known spec of a package would do in the place of a build's.",
    )
    splice_matrix: SpliceMatrix = counted(
        replacing.files_of_matrix,
        replacing.splice_matrix,
        arguments=[
            argument("package", str, "The name of the package."),
            argument("versions", int, "How many of its specs at most, up to 50.", 20),
            argument("after_version", str | None, "Only specs after this `versionsEndCursor`."),
            argument("first", int, "How many specs that use it at most, up to 200.", 50),
            argument("after", str | None, "Only those after this `endCursor`."),
        ],
        specs=replacing.MATRIX,
        description="What specs of a package would do in each other's place, under what uses it.",
    )
    rebuilds_needed: RebuildsNeeded = counted(
        replacing.files_of_rebuilds,
        replacing.rebuilds_needed,
        arguments=[
            argument("package", str, "The name of the package."),
            argument("from", str, "A version of it, or a hash of a spec: what is used today."),
            argument("to", str, "A version or a hash: the newest such spec takes its place."),
            argument("first", int, "How many specs that use it at most, up to 200.", 50),
            argument("after", str | None, "Only those after this `endCursor`."),
        ],
        specs=replacing.REBUILDS,
        description="What must be rebuilt if a package is upgraded: what the loader would refuse with it.",
    )
    splice_statements: SpliceStatements = counted(
        statements.files_of_statements,
        statements.splice_statements,
        arguments=[
            argument("package", str | None, "Only of specs of this package."),
            argument("verdict", SpliceVerdict | None, "Of the page's, only those with this verdict."),
            argument("first", int, "Of how many specs at most, up to 50.", 20),
            argument("after", str | None, "Only those after this `endCursor`."),
        ],
        specs=statements.STATEMENTS,
        description="Where Spack says that a spec may take another's place, and what the loader says: with "
        "the verdict BREAKS they disagree.",
    )
    abi_diff: AbiDifference = counted(
        differing.files_of_two,
        differing.abi_difference,
        arguments=[
            argument("a", str, "A hash of a spec, or a build of it, as `Build:12`."),
            argument("b", str, "A hash of the spec that is compared with it, or a build of it."),
            argument("first", int, "How many libraries at most, up to 100.", 20),
            argument("after", str | None, "Only those after this `endCursor`."),
            argument("symbols", int, "How many symbols at most in each list, up to 1000.", 100),
        ],
        description="What differs between the libraries of two specs: names, symbols and versions, and "
        "whether what is linked with the one starts with the other by these.",
    )
    abi_history: AbiHistory = counted(
        differing.files_of_history,
        differing.abi_history,
        arguments=[
            argument("package", str, "The name of the package."),
            argument("first", int, "How many steps at most, up to 50.", 20),
            argument("after", str | None, "Only those after this `endCursor`."),
        ],
        specs=differing.HISTORY,
        description="Each known version of a package and the next: which upgrades are safe for what is "
        "linked with it.",
    )
    analysis_diff: ResultDifference = computed(
        TWO_RESULTS,
        results_compared,
        arguments=[
            argument("a", strawberry.ID, "The id of the first finding of an analyzer."),
            argument("b", strawberry.ID, "The id of the second one."),
            argument("first", int, f"How many changes at most, up to {MOST_CHANGES:,}.", 100),
        ],
        description="What differs between two findings of analyzers.",
    )
    common_dependencies: list[CommonDependency] = computed(
        questions.SEVERAL_GRAPHS,
        questions.common_dependencies,
        arguments=[argument("hashes", list[str], "Hashes of 1 to 20 specs."), _DEPTYPES],
        specs=questions.graphs_of_all,
        description="What all of several specs depend on, by name.",
    )
