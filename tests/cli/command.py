"""`spackmon …` as a shell runs it."""

import os
import sys
from pathlib import Path

from tests.cli import prepared
from tests.cli.prepared import Finished

PROGRAM = Path(sys.executable).with_name("spackmon")
EXAMPLES = Path(__file__).parents[2] / "examples"


class Shell:
    """Runs commands over one database."""

    def __init__(self, database_url: str, data_dir: Path) -> None:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("SPACKMON_")}
        self.environment = {
            **inherited,
            "SPACKMON_DATABASE_URL": database_url,
            "SPACKMON_DATA_DIR": str(data_dir),
        }

    def run(self, *arguments: object, stdin: str = "", **environment: str) -> Finished:
        """The finished command, whatever its exit code; without a terminal to ask at."""
        return prepared.run([str(PROGRAM), *map(str, arguments)], {**self.environment, **environment}, stdin)

    def done(self, *arguments: object, stdin: str = "", **environment: str) -> str:
        """What the command printed on stdout; it must exit 0."""
        finished = self.run(*arguments, stdin=stdin, **environment)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    def refused(self, *arguments: object, stdin: str = "", **environment: str) -> str:
        """The last line on stderr of a command that must exit 1 and show no traceback."""
        finished = self.run(*arguments, stdin=stdin, **environment)
        assert finished.returncode == 1, finished
        assert "Traceback" not in finished.stderr
        return finished.stderr.splitlines()[-1]
