"""Binaries in FAKE_MIRROR, the install tree of another Spack."""

import os
import shutil

import spack.left
import spack.paths


def has_mirror():
    return "FAKE_MIRROR" in os.environ


def unpack(pkg):
    """Whether there was one. All that was in its prefix comes with it, but for the marks of the unpacking."""
    binary = os.path.join(os.environ.get("FAKE_MIRROR", ""), os.path.basename(pkg.spec.prefix))
    if not has_mirror() or not os.path.isdir(binary):
        return False
    shutil.copytree(binary, pkg.spec.prefix)
    spack.left.write(pkg, "binary_distribution", f"{{buildpath: {os.path.dirname(binary)}}}")
    pkg.installed_from_binary_cache = True
    return True
