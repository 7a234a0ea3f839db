import os

import spack.spec


class Environment:
    name = "site"

    @property
    def user_specs(self):
        return [spack.spec.Abstract(word) for word in os.environ["FAKE_ENVIRONMENT"].split()]

    def all_specs(self):
        roots = [spack.spec.concretized(spec.name) for spec in self.user_specs]
        return list({spec.dag_hash(): spec for root in roots for spec in root.traverse()}.values())


def active_environment():
    return Environment() if os.environ.get("FAKE_ENVIRONMENT") else None
