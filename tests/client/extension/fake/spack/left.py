"""What a build leaves in its prefix."""

import gzip
import json
import os
import shutil

import spack.hash_types
import spack.util.environment


def of_both(pkg):
    write(pkg, "spec.json", json.dumps(pkg.spec.to_dict(hash=spack.hash_types.dag_hash)))
    with open(os.path.join(pkg.spec.prefix, "lib.txt"), "w") as file:
        file.write("a library\n")
    manifest = {pkg.metadata: {"mode": 16877, "owner": 0, "group": 0}}
    path = os.path.join(pkg.spec.prefix, "lib.txt")
    manifest[path] = {"mode": 33188, "owner": 0, "group": 0, "hash": "x", "time": 1763805600.5, "size": 10}
    write(pkg, "install_manifest.json", json.dumps(manifest))


def of_old(pkg, seconds):
    of_both(pkg)
    write(pkg, "install_environment.json", json.dumps(spack.util.environment.get_host_environment_metadata()))
    phases = [{"name": name, "path": name, "seconds": took, "count": 1} for name, took in seconds]
    times = {"name": pkg.name, "hash": pkg.spec.dag_hash(), "cache": False, "total": 1.5, "phases": phases}
    write(pkg, "install_times.json", json.dumps(times))
    shutil.copy(
        os.path.join(pkg.stage.path, "spack-build-env-mods.txt"),
        os.path.join(pkg.metadata, "spack-build-env.txt"),
    )
    write(pkg, "spack-configure-args.txt", "--enable-demo")
    pack_log(pkg, pkg.log_path)


def pack_log(pkg, log_path):
    with open(log_path, "rb") as log, gzip.open(pkg.install_log_path, "wb") as packed:
        shutil.copyfileobj(log, packed)


def write(pkg, name, text):
    os.makedirs(pkg.metadata, exist_ok=True)
    with open(os.path.join(pkg.metadata, name), "w") as file:
        file.write(text)
