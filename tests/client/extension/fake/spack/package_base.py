import json
import os
from types import SimpleNamespace

import spack.error
import spack.paths

STAGE_ROOT = os.path.join(spack.paths.root, "stage")


class PackageBase:
    # Of every recipe here: what may take libgreet's place.
    splice_specs = json.loads(os.environ.get("FAKE_SPLICE_SPECS", "{}"))

    def __init__(self, spec):
        self.spec, self.name = spec, spec.name
        self.installed_from_binary_cache = False
        stage = os.path.join(STAGE_ROOT, f"spack-stage-{self.name}-{spec.version}-{spec.dag_hash()}")
        self.stage = SimpleNamespace(path=stage)
        self.log_path = os.path.join(stage, "spack-build-out.txt")
        self.metadata = os.path.join(spec.prefix, ".spack")
        self.install_log_path = os.path.join(self.metadata, "spack-build-out.txt.gz")

    def do_patch(self):
        if self.name == "unfetched":
            raise spack.error.FetchError("All fetchers failed for spack-stage-unfetched")
        print(f"==> No patches needed for {self.name}")
