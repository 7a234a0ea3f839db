import os

import spack.spec

# Versions after 1.2 take it as one more argument.
WITH_CONTEXT = os.environ.get("FAKE_CONTEXT", "")


def parse_specs(words, ctx="", concretize=False):
    assert bool(ctx) == bool(WITH_CONTEXT)
    if not concretize:
        return [spack.spec.Abstract(word) for word in words]
    return [spack.spec.concretized(word) for word in words]
