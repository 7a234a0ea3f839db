"""The first lines on the screen of who starts the service."""

import shlex
from pathlib import Path

from spackmon.settings import Settings


def welcome(settings: Settings, program: str) -> str:
    """The first lines on the screen: where the service is, and how a Spack client comes to report to it."""
    url = settings.public_url
    lines = [f"Builds    {url}/", *([f"GraphiQL  {url}/graphql"] if settings.graphiql else []), ""]
    program = shlex.quote(_short(Path(program)))
    where = []
    if settings.data_dir != Path(".spackmon").absolute():
        where.append(f"  export SPACKMON_DATA_DIR={shlex.quote(str(settings.data_dir))}")
    # Without it, an account would be made in the embedded database, which this server does not read.
    if settings.shown_database_url is not None:
        where.append(f"  export SPACKMON_DATABASE_URL={shlex.quote(settings.shown_database_url)}")
    if settings.disable_authentication:
        lines += ["Anybody may report builds. With Spack 0.16 to 0.18:", f"  {_spack_install(settings)}", ""]
        return "\n".join(lines)
    lines += [
        "Create an account and export its token, in another shell (put your name for NAME):",
        *where,
        f"  {program} user add NAME",
        "  export SPACKMON_USER=NAME",
        f"  export SPACKMON_TOKEN=$({program} token create NAME)",
        "Then report what Spack (0.16 to 0.18) builds:",
        f"  {_spack_install(settings)}",
        "",
    ]
    return "\n".join(lines)


def _short(program: Path) -> str:
    """The program as somebody in this directory types it."""
    here = Path.cwd()
    return str(program.absolute().relative_to(here) if program.absolute().is_relative_to(here) else program)


def _spack_install(settings: Settings) -> str:
    options = ["--monitor", f"--monitor-host {shlex.quote(settings.public_url)}"]
    if settings.url_api_prefix != "ms1":
        options.append(f"--monitor-prefix {settings.url_api_prefix}")
    if settings.disable_authentication:
        options.append("--monitor-no-auth")
    return f"spack install {' '.join(options)} zlib"
