"""What Spack knows that reports tell: the machine, Spack's own version, the graph of a spec.

Spack promises none of these names to anybody; each is looked for where 0.22 to 1.3 have it.
"""

import platform
import re
import socket
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

import spack
import spack.hash_types
import spack.spec

from .files import version_and_revision


def environment() -> Dict[str, Optional[str]]:
    """The machine, as Spack's own install_environment.json has it: a later import must know it again."""
    known = _first_of((_host_of_metadata, _host_of_platform)) or {}
    return {
        "hostname": known.get("hostname") or socket.gethostname(),
        "platform": known.get("platform") or platform.system().lower(),
        "host_os": known.get("host_os"),
        "host_target": known.get("host_target") or platform.machine(),
        "kernel_version": known.get("kernel_version") or platform.version(),
    }


def spack_version() -> Tuple[Optional[str], Optional[str]]:
    """Spack's version, and the commit of its checkout if it is one."""
    told = _first_of((_version_of_spack, _version_of_main))
    version, revision = version_and_revision(str(told or ""))
    return version or getattr(spack, "spack_version", None), revision


def nodes_of(specs: Iterable[Any]) -> Tuple[int, Dict[str, Any]]:
    """The nodes of all graphs by hash, each once, and the version of their format."""
    nodes: Dict[str, Any] = {}
    version = 0
    for root in specs:
        if root.dag_hash() not in nodes:
            ways = (lambda: _node_by_node(root, nodes), lambda: _as_document(root))  # noqa: B023 -- at once
            version, more = _first_of(ways) or (version, {})
            nodes.update(more)
    return version, nodes


def _node_by_node(root: Any, known: Dict[str, Any]) -> Tuple[int, Dict[str, Any]]:
    """The nodes that are not known yet: the roots of an environment have most of their graphs in common."""
    specs: List[Any] = []
    for spec in root.traverse():
        specs.append(spec)
        built_as = getattr(spec, "build_spec", spec)
        if built_as is not spec:
            specs.extend(built_as.traverse())
    kind = spack.hash_types.dag_hash
    new = {spec.dag_hash(): spec for spec in specs if spec.dag_hash() not in known}
    nodes = {spec_hash: spec.node_dict_with_hashes(hash=kind) for spec_hash, spec in new.items()}
    return spack.spec.SPECFILE_FORMAT_VERSION, nodes


def _as_document(root: Any) -> Tuple[int, Dict[str, Any]]:
    document = document_of(root)
    return document["_meta"]["version"], {node["hash"]: node for node in document["nodes"]}


def document_of(spec: Any) -> Any:
    """The document of one graph, as `spack spec --json` prints it."""
    return spec.to_dict(hash=spack.hash_types.dag_hash)["spec"]


def _host_of_metadata() -> Dict[str, str]:
    import spack.util.environment

    known: Dict[str, str] = spack.util.environment.get_host_environment_metadata()
    return known


def _host_of_platform() -> Dict[str, str]:
    import spack.platforms

    host = spack.platforms.host()
    if hasattr(host, "default_operating_system"):
        system, target = host.default_operating_system(), host.default_target()
    else:
        system, target = host.operating_system("default_os"), host.target("default_target")
    return {"platform": str(host), "host_os": str(system), "host_target": str(target)}


def _version_of_spack() -> str:
    return str(spack.get_version())


def _version_of_main() -> str:
    import spack.main

    return str(spack.main.get_version())


def _first_of(ways: Iterable[Callable[[], Any]]) -> Any:
    for way in ways:
        try:
            return way()
        except Exception:  # noqa: S112 -- whatever another version of Spack does instead
            continue
    return None


def message_of(error: BaseException) -> str:
    """What an error of Spack says, without colours."""
    text = str(getattr(error, "message", None) or error)
    more = getattr(error, "long_message", None)
    if more and str(more) not in text:
        text = f"{text}\n{more}"
    return re.sub(r"\x1b\[[0-9;]*m", "", text).strip() or type(error).__name__
