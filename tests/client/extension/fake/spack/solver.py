import spack.error


class UnsatisfiableSpecError(spack.error.SpackError):
    pass


def solve(word, recipes):
    name, _, version = word.partition("@")
    if version and recipes[name][0] != version:
        raise UnsatisfiableSpecError(f"Cannot satisfy '{name}@{version}'")
