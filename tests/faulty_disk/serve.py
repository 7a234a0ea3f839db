"""A server to take the power from: `python -m tests.faulty_disk.serve SYNCHRONOUS DATABASE_URL DATA_DIR`.

It prints its address and a token. SYNCHRONOUS is SQLite's: the service's own is FULL, with less the tests
must fail.
"""

import signal
import sys
from pathlib import Path

from spackmon.database import engine
from tests.server import served

if __name__ == "__main__":
    engine.SYNCHRONOUS = sys.argv[1]
    with served(sys.argv[2], Path(sys.argv[3])) as server:
        print(server.url, server.token, flush=True)
        signal.pause()
