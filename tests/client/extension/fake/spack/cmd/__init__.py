import spack.spec


def parse_specs(words, concretize=False):
    if not concretize:
        return [spack.spec.Abstract(word) for word in words]
    return [spack.spec.concretized(word) for word in words]
