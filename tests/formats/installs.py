"""Small copies of what Spacks left on disk: prefixes and failed stages."""

import shutil
from pathlib import Path

INSTALLS = Path(__file__).parents[1] / "data" / "installs"
AUTODEMO_017 = INSTALLS / "0.17" / "autodemo-0.9.1-k3b4kci2vavoeln4pz6b3x7a5x7zxdfn"
BUNDLE_017 = INSTALLS / "0.17" / "zbundle-2022.05-u5iddcpikua7pkudw7kq76csu3p3hovn"
AUTODEMO_023 = INSTALLS / "0.23" / "autodemo-0.9.1-osbijjlvexlb74od7qnrv3hrpdsa6et7"
LIBGREET = INSTALLS / "1.2" / "libgreet-2.0-xj63m6lwsborawqxekke3hb5oqagtdf7"
LIBGREET_NEW = INSTALLS / "1.2-new" / LIBGREET.name
STAGE = INSTALLS / "stages-1.2" / "spack-stage-broken-app-1.0-tabaer7znictybiq6r4nctz3zwwbpepv"
STAGE_LOG = (
    INSTALLS / "stages-1.2-new" / "spack-stage-broken-app-tabaer7znictybiq6r4nctz3zwwbpepv-jmowis9n.log"
)

PREFIXES = (AUTODEMO_017, BUNDLE_017, AUTODEMO_023, LIBGREET, LIBGREET_NEW)


def copied(source: Path, directory: Path) -> Path:
    """A copy to be changed."""
    copy = directory / source.name
    shutil.copytree(source, copy)
    return copy
