import os

import spack.error
import spack.spec


class Environment:
    name = "site"

    @property
    def user_specs(self):
        return [spack.spec.Abstract(word) for word in os.environ["FAKE_ENVIRONMENT"].split()]

    def concretize(self):
        try:
            return [spack.spec.concretized(spec.word) for spec in self.user_specs]
        except spack.error.SpackError as error:
            # Of the processes that concretize side by side the errors arrive as text.
            raise RuntimeError(str(error)) from None

    def all_specs(self):
        roots = [spack.spec.concretized(spec.name) for spec in self.user_specs]
        return list({spec.dag_hash(): spec for root in roots for spec in root.traverse()}.values())


def active_environment():
    return Environment() if os.environ.get("FAKE_ENVIRONMENT") else None
