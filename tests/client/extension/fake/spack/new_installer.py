"""The new installer: builds side by side, which send their states through a pipe to a display."""

import json
import multiprocessing
import os
import selectors
import shutil
import sys
import tempfile
import threading
import traceback

import spack
import spack.binary_distribution
import spack.builder
import spack.error
import spack.left
import spack.package_base
import spack.store

STOPPED_AT_PHASE = 3


class ChildInfo:
    def __init__(self, proc, spec, state_r_conn, log_path):
        self.proc, self.spec, self.state_r_conn = proc, spec, state_r_conn
        if log_path is not None:
            self.log_path = log_path


class BuildStatus:
    def __init__(self, total):
        self.total, self.builds = total, {}

    def add_build(self, spec, explicit, control_w_conn=None):
        self.builds[spec.dag_hash()] = spec

    def update_state(self, build_id, state):
        spec = self.builds[build_id]
        print(f"{spec.dag_hash(7)} {spec.name}@{spec.version}: {state}")

    def update(self, finalize=False):
        pass


class BuildGraph:
    def __init__(self, specs):
        self.roots = {spec.dag_hash() for spec in specs}
        nodes = {node.dag_hash(): node for spec in specs for node in spec.traverse()}
        self.nodes = {spec_hash: spec for spec_hash, spec in nodes.items() if not spec.installed}


class PackageInstaller:
    def __init__(self, packages, root_policy="auto", fail_fast=False, explicit=False, stop_at=None):
        self.fail_fast, self.policy, self.stop_at = fail_fast, root_policy, stop_at
        graph = BuildGraph([pkg.spec for pkg in packages])
        self._graph_nodes, self._roots = graph.nodes, graph.roots
        if spack.VARIANT == "1.1-new":
            self.nodes, self.roots = graph.nodes, graph.roots
        else:
            self.build_graph, self.log_paths = graph, {}
        self.build_status = BuildStatus(len(graph.nodes))
        self.running_builds, self._started, self.reports = {}, set(), {}

    def install(self):
        selector = selectors.DefaultSelector()
        failures, finished = [], set()
        try:
            self._start_ready(selector, finished)
            while self.running_builds:
                for key, _ in selector.select(timeout=0.1):
                    self._handle_child_state(selector, key.data, failures, finished)
                if failures and self.fail_fast:
                    for child in self.running_builds.values():
                        child.proc.terminate()
                    break
                self._start_ready(selector, finished)
                self.build_status.update()
        except KeyboardInterrupt:
            for child in self.running_builds.values():
                child.proc.terminate()
                child.proc.join()
            raise
        if spack.VARIANT == "1.3-new":
            self._remove_logs(failures)
        if failures:
            lines = [f"{spec}: {spec.package.log_path}" for spec in failures]
            raise spack.error.InstallError("The following packages failed to install:\n" + "\n".join(lines))

    def _remove_logs(self, failures):
        for spec_hash in self.log_paths.keys() - {spec.dag_hash() for spec in failures}:
            os.unlink(self.log_paths[spec_hash])

    def _start_ready(self, selector, finished):
        for spec_hash, spec in list(self._graph_nodes.items()):
            waits_for = {dependency.dag_hash() for dependency in spec.dependencies()}
            if spec_hash not in self._started and not waits_for & set(self._graph_nodes):
                self._started.add(spec_hash)
                self._start(selector, spec)

    def _new_log(self, spec):
        os.makedirs(spack.package_base.STAGE_ROOT, exist_ok=True)
        descriptor, log_path = tempfile.mkstemp(
            prefix=f"spack-stage-{spec.name}-{spec.version}-{spec.dag_hash()}-",
            suffix=".log", dir=spack.package_base.STAGE_ROOT,
        )  # fmt: skip
        os.close(descriptor)
        self.log_paths[spec.dag_hash()] = log_path
        return log_path

    def _start(self, selector, spec):
        # The log of 1.1 is a file in the stage, which the build makes.
        log_path = None if spack.VARIANT == "1.1-new" else self._new_log(spec)
        state_r, state_w = multiprocessing.Pipe(False)
        arguments = spec, state_w, log_path, self.policy, self.stop_at
        proc = multiprocessing.Process(target=worker_function, args=arguments)
        proc.start()
        state_w.close()
        self.running_builds[proc.pid] = ChildInfo(proc, spec, state_r, log_path)
        selector.register(state_r, selectors.EVENT_READ, proc.pid)
        self.build_status.add_build(spec, explicit=spec.dag_hash() in self._roots, control_w_conn=state_r)

    def _handle_child_state(self, selector, pid, failures, finished):
        child = self.running_builds[pid]
        spec_hash = child.spec.dag_hash()
        try:
            self.build_status.update_state(
                spec_hash, json.loads(child.state_r_conn.recv_bytes().decode())["state"]
            )
        except EOFError:
            selector.unregister(child.state_r_conn)
            child.proc.join()
            del self.running_builds[pid]
            if child.proc.exitcode == 0:
                self.build_status.update_state(spec_hash, "finished")
                spack.store.STORE.db.add(child.spec)
                del self._graph_nodes[spec_hash]
            elif child.proc.exitcode != STOPPED_AT_PHASE:
                failures.append(child.spec)
                self.build_status.update_state(spec_hash, "failed")


def worker_function(spec, state, log_path, policy, stop_at):
    if spec.external:
        return
    os.setsid()
    if log_path is None:
        os.makedirs(spec.package.stage.path, exist_ok=True)
        descriptor = os.open(spec.package.log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    else:
        descriptor = os.open(log_path, os.O_WRONLY | os.O_TRUNC)
    tee = Tee(descriptor)
    exit_code = 0
    try:
        _install(spec, state, log_path, policy, stop_at)
    except spack.error.StopPhase:
        exit_code = STOPPED_AT_PHASE
    except Exception:
        traceback.print_exc()
        exit_code = 1
    finally:
        tee.close()
    if exit_code == 0 and log_path is not None:
        if not os.path.exists(spec.package.install_log_path):
            spack.left.pack_log(spec.package, log_path)
        if spack.VARIANT != "1.3-new":
            os.unlink(log_path)
    sys.exit(exit_code)


def _install(spec, state, log_path, policy, stop_at):
    pkg = spec.package
    if _is_unpacked(spec, state, policy):
        return
    os.makedirs(pkg.metadata)
    os.makedirs(pkg.stage.path, exist_ok=True)
    if log_path is not None:
        if os.path.lexists(pkg.log_path):
            os.unlink(pkg.log_path)
        os.symlink(log_path, pkg.log_path)
    try:
        send_state("staging", state)
        pkg.do_patch()
        for phase in spack.builder.create(pkg):
            send_state(phase.name, state)
            # Early versions of this installer do not name phases in the log.
            if os.environ.get("FAKE_PHASE_LINES") or spack.VARIANT == "1.3-new":
                print(f"==> {spec.name}: Executing phase: '{phase.name}'")
            phase.execute()
            if phase.name == stop_at:
                send_state(f"stopped after {stop_at}", state)
                raise spack.error.StopPhase(stop_at)
    except Exception:
        shutil.rmtree(spec.prefix)
        raise
    spack.left.of_both(pkg)
    if log_path is None:
        spack.left.pack_log(pkg, pkg.log_path)
    shutil.rmtree(pkg.stage.path)


def _is_unpacked(spec, state, policy):
    if spack.binary_distribution.has_mirror():
        send_state("fetching from build cache", state)
        if spack.binary_distribution.unpack(spec.package):
            send_state("relocating", state)
            return True
    if policy == "cache_only":
        send_state("no binary available", state)
        raise spack.error.InstallError(f"No binary available for {spec}")
    return False


def send_state(state, pipe):
    pipe.send_bytes(json.dumps({"state": state}).encode())


class Tee:
    """Everything that is written goes through a pipe and a thread into the log."""

    def __init__(self, log_descriptor):
        reading, writing = os.pipe()
        self.thread = threading.Thread(target=self._forward, args=(reading, log_descriptor))
        self.thread.start()
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        os.close(writing)

    def _forward(self, reading, log_descriptor):
        while True:
            data = os.read(reading, 4096)
            if not data:
                break
            os.write(log_descriptor, data)

    def close(self):
        sys.stdout.flush()
        sys.stderr.flush()
        os.close(1)
        os.close(2)
        self.thread.join()


if os.environ.get("FAKE_UNKNOWN") == "installer":
    UnderAnotherName = PackageInstaller
    del PackageInstaller
