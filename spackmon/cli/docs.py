"""`spackmon docs`: the documentation of this version as files, to be read or served without spackmon."""

from pathlib import Path
from typing import Annotated

import typer

from spackmon.errors import Code, Refused


def docs(
    directory: Annotated[Path, typer.Argument(help="Where the pages go; index.html is the first.")],
) -> None:
    """Write the documentation of this version as a site of files, which needs no server and no network."""
    # Only this command pays for loading it.
    from spackmon.web.documentation_site import write_site

    try:
        pages = write_site(directory)
    except OSError as error:
        raise Refused(Code.FILE_UNWRITABLE, f"{directory}: {error.strerror}") from None
    print(f"{pages} pages: {directory / 'index.html'}")
