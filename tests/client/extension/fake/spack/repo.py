import spack.error


class RepoError(spack.error.SpackError):
    pass


def check(name):
    if name == "unimportable":
        raise RepoError(f"cannot load package '{name}' from the 'demo' repository: it is no Python")
