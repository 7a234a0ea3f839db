import json
import os
import pickle

import spack.error
import spack.paths
import spack.spec
import spack.util.parallel


class Environment:
    name = "site"

    @property
    def user_specs(self):
        return [spack.spec.Abstract(word) for word in os.environ["FAKE_ENVIRONMENT"].split()]

    def concretize(self):
        try:
            return [spack.spec.concretized(spec.word) for spec in self.user_specs]
        except spack.error.SpackError as error:
            failure = spack.util.parallel.ErrorFromWorker(type(error), error, error.__traceback__)
            # Of several roots, each is concretized by a process of its own.
            raise RuntimeError(str(pickle.loads(pickle.dumps(failure)))) from None

    @property
    def lock_path(self):
        path = os.path.join(spack.paths.root, "environments", "site", "spack.lock")
        roots = [
            {"hash": spack.spec.concretized(spec.name).dag_hash(), "spec": str(spec)}
            for spec in self.user_specs
        ]
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            json.dump({"_meta": {"lockfile-version": 6}, "roots": roots, "concrete_specs": {}}, file)
        return path

    def all_specs(self):
        roots = [spack.spec.concretized(spec.name) for spec in self.user_specs]
        return list({spec.dag_hash(): spec for root in roots for spec in root.traverse()}.values())


def active_environment():
    return Environment() if os.environ.get("FAKE_ENVIRONMENT") else None
