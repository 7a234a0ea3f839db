import spack.error
import spack.repo


class UnsatisfiableSpecError(spack.error.SpecError):
    pass


def solve(word, recipes):
    name, _, version = word.partition("@")
    spack.repo.check(name)
    if version and recipes[name][0] != version:
        raise UnsatisfiableSpecError(f"Cannot satisfy '{name}@{version}'")
