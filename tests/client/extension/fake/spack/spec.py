import base64
import hashlib
import json
import os

import spack
import spack.paths
import spack.solver

SPECFILE_FORMAT_VERSION = 4 if spack.VARIANT == "0.23" else 5

# Name: version, dependencies, phases with what they run.
RECIPES = {
    "gcc": ("12.2.0", [], {}),
    "libgreet": (
        "2.0",
        ["gcc"],
        {"edit": "true", "build": "echo compiling greet.c", "install": "echo copying libgreet"},
    ),
    "demo-base": ("1.2", ["gcc"], {"install": "echo demo-base is installed"}),
    "broken-app": (
        "1.0",
        # After both, so that --fail-fast finds nothing else half built.
        ["gcc", "libgreet", "demo-base"],
        {
            "autoreconf": "true",
            "configure": "echo checking for a compiler; echo configured",
            "build": "echo main.c:8:8: error: no member named nmae; exit 2",
            "install": "true",
        },
    ),
    "broken-user": ("0.1", ["gcc", "broken-app", "demo-base"], {"install": "true"}),
    # As much memory as dd's buffer has; what needs less than an earlier phase is not told.
    "hungry": (
        "1.0",
        ["gcc"],
        {
            "edit": "true",
            "build": "dd if=/dev/zero of=/dev/null bs=150M count=1",
            "check": "dd if=/dev/zero of=/dev/null bs=100M count=1",
            "install": "dd if=/dev/zero of=/dev/null bs=200M count=1; exit 1",
        },
    ),
    "unfetched": ("3.1", ["gcc"], {"install": "true"}),
    "slow": (
        "1.0",
        ["gcc"],
        # It ends with the process that started it: a test that kills the install leaves this shell behind.
        {"build": "echo building; touch $FAKE_ROOT/building;"
                  " until [ -e $FAKE_ROOT/go ] || ! kill -0 $PPID 2>/dev/null; do sleep 0.05; done",
         "install": "echo installed"},
    ),
    "many-phases": (
        "1.0",
        [],
        {f"phase-{number}": "echo a line" for number in range(int(os.environ.get("FAKE_PHASES", "0")))},
    ),
}  # fmt: skip


class Abstract:
    def __init__(self, word):
        self.name, _, self.version = word.partition("@")
        self.word = word

    def __str__(self):
        return self.word


class Spec:
    def __init__(self, name, dependencies):
        self.name, self._dependencies = name, dependencies
        self.version = RECIPES[name][0]
        self.external = name == "gcc"
        self.build_spec = self
        self._package = None

    @property
    def package(self):
        import spack.package_base

        if self._package is None:
            self._package = spack.package_base.PackageBase(self)
        return self._package

    @property
    def prefix(self):
        if self.external:
            return "/usr"
        return os.path.join(spack.paths.root, "opt", f"{self.name}-{self.version}-{self.dag_hash()}")

    @property
    def installed(self):
        import spack.store

        return spack.store.STORE.db.has(self)

    def dependencies(self):
        return self._dependencies

    def satisfies(self, wanted):
        return wanted in (self.name, str(self))

    def traverse(self):
        seen = {}
        waiting = [self]
        while waiting:
            spec = waiting.pop(0)
            if spec.dag_hash() not in seen:
                seen[spec.dag_hash()] = spec
                waiting = spec.dependencies() + waiting
        return iter(seen.values())

    def dag_hash(self, length=None):
        text = json.dumps(self._node(), separators=(",", ":")).encode()
        return base64.b32encode(hashlib.sha1(text).digest()).decode().lower()[:length]

    def node_dict_with_hashes(self, hash):  # noqa: A002
        return dict(self._node(), hash=self.dag_hash())

    def to_dict(self, hash):  # noqa: A002
        nodes = [spec.node_dict_with_hashes(hash) for spec in self.traverse()]
        return {"spec": {"_meta": {"version": SPECFILE_FORMAT_VERSION}, "nodes": nodes}}

    def _node(self):
        node = {
            "name": self.name,
            "version": self.version,
            "arch": {"platform": "linux", "platform_os": "debian12", "target": "x86_64"},
        }
        if SPECFILE_FORMAT_VERSION == 4:
            node["compiler"] = {"name": "gcc", "version": "12.2.0"}
        node["namespace"] = "demo"
        flags = ("cflags", "cppflags", "cxxflags", "fflags", "ldflags", "ldlibs")
        node["parameters"] = dict({"build_system": "generic"}, **{flag: [] for flag in flags})
        if self.external:
            node["external"] = {"path": "/usr", "module": None, "extra_attributes": {}}
        if self._dependencies:
            node["dependencies"] = [
                {
                    "name": spec.name,
                    "hash": spec.dag_hash(),
                    "parameters": {"deptypes": ["build", "link"], "virtuals": []},
                }
                for spec in sorted(self._dependencies, key=lambda spec: spec.name)
            ]
        return node

    def __str__(self):
        return f"{self.name}@{self.version}"


_CONCRETE = {}


def concretized(name):
    if name not in _CONCRETE:
        spack.solver.solve(name, RECIPES)
        _CONCRETE[name] = Spec(name, [concretized(dependency) for dependency in RECIPES[name][1]])
    return _CONCRETE[name]
