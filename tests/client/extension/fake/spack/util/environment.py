import spack


def get_host_environment_metadata():
    return {
        "host_os": "debian12", "platform": "linux", "host_target": "x86_64_v4", "hostname": "build-host-1",
        "spack_version": spack.get_version(), "kernel_version": "#1 SMP",
    }  # fmt: skip
