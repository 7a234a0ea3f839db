"""The installer of 0.23, and the old one of 1.2, whose tasks start and complete: a process for each build."""

import functools
import json
import multiprocessing
import os
import shutil
import sys
import time

import spack
import spack.binary_distribution
import spack.builder
import spack.error
import spack.left
import spack.store


class Task:
    def __init__(self, pkg, request):
        self.pkg, self.request = pkg, request
        self.overwrite = ()
        if spack.VARIANT == "0.23":
            self.cache_only = request.install_args["package_cache_only"]
        else:
            self.install_policy = request.install_args["root_policy"]
        self.dependents = []


class BuildTask(Task):
    def _run(self):
        spack.store.STORE.db.has(self.pkg.spec)
        if spack.binary_distribution.unpack(self.pkg):
            times = {"name": self.pkg.name, "cache": True, "total": 0.25, "phases": []}
            spack.left.write(self.pkg, "install_times.json", json.dumps(times))
            spack.store.STORE.db.add(self.pkg.spec)
            return
        if True in (getattr(self, "cache_only", None), getattr(self, "install_policy", "") == "cache_only"):
            raise spack.error.InstallError("No binary found when cache-only was specified")
        receive, send = multiprocessing.Pipe(False)
        process = multiprocessing.Process(target=build_process, args=(self.pkg, send))
        process.start()
        error = receive.recv()
        process.join()
        if error:
            raise spack.error.InstallError(error)
        spack.store.STORE.db.add(self.pkg.spec)


if spack.VARIANT == "0.23":

    def _execute(self, install_status=None):
        self._run()

    BuildTask.execute = _execute
else:

    def _start(self):
        self.is_started = True

    def _complete(self):
        assert self.is_started
        self._run()

    BuildTask.start, BuildTask.complete = _start, _complete


class BuildRequest:
    def __init__(self, pkg, arguments):
        self.pkg, self.install_args = pkg, arguments
        self.overwrite = set()


class PackageInstaller:
    def __init__(self, packages, root_policy="auto", fail_fast=False, explicit=False):
        if spack.VARIANT == "0.23":
            self.build_requests = [BuildRequest(pkg, arguments) for pkg, arguments in packages]
            self.fail_fast = any(arguments["fail_fast"] for _, arguments in packages)
        else:
            self.build_requests = [BuildRequest(pkg, {"root_policy": root_policy}) for pkg in packages]
            self.fail_fast = fail_fast
        self.build_tasks = {}
        self.installed, self.failed = set(), {}

    def _init_queue(self):
        for request in self.build_requests:
            for spec in request.pkg.spec.traverse():
                self.build_tasks.setdefault(spec.dag_hash(), BuildTask(spec.package, request))
        for task in self.build_tasks.values():
            for spec in task.pkg.spec.traverse():
                if spec is not task.pkg.spec:
                    self.build_tasks[spec.dag_hash()].dependents.append(task.pkg.spec.dag_hash())

    def _pop_task(self):
        for spec_hash, task in self.build_tasks.items():
            waits_for = [spec.dag_hash() for spec in task.pkg.spec.dependencies()]
            if all(dependency in self.installed for dependency in waits_for):
                del self.build_tasks[spec_hash]
                return task
        raise AssertionError("nothing is ready")

    def install(self):
        self._init_queue()
        while self.build_tasks:
            task = self._pop_task()
            spec = task.pkg.spec
            if spec.external or spec.installed:
                print(f"[+] {spec.prefix}")
                self._update_installed(task) if not spec.external else self.installed.add(spec.dag_hash())
                continue
            try:
                self._install_task(task, None)
            except KeyboardInterrupt:
                raise
            except (Exception, SystemExit) as error:
                self._update_failed(task, True, error)
                sys.stderr.write(f"==> Error: Failed to install {spec.name}: {error}\n")
                if self.fail_fast:
                    raise spack.error.InstallError("Terminating after first install failure") from None
        missing = [r.pkg for r in self.build_requests if r.pkg.spec.dag_hash() not in self.installed]
        if missing:
            names = ", ".join(pkg.name for pkg in missing)
            raise spack.error.InstallError("Installation request failed: " + names, pkg=missing[0])

    def _install_task(self, task, install_status):
        if spack.VARIANT == "0.23":
            task.execute(install_status)
        else:
            task.start()
            task.complete()
        print(f"[+] {task.pkg.spec.prefix}")
        self._update_installed(task)

    def _update_failed(self, task, mark=False, exc=None):
        self.failed[task.pkg.spec.dag_hash()] = None
        for spec_hash in task.dependents:
            if spec_hash in self.build_tasks:
                dependent = self.build_tasks[spec_hash]
                sys.stderr.write(f"==> Warning: Skipping build of {dependent.pkg.name}\n")
                self._update_failed(dependent, mark)
                self.build_tasks.pop(spec_hash, None)

    def _update_installed(self, task):
        self.installed.add(task.pkg.spec.dag_hash())


if os.environ.get("FAKE_UNKNOWN") == "tasks":
    # A version that tells its tasks' ends to methods of other names.
    HIDDEN = {name: vars(PackageInstaller)[name] for name in ("_update_installed", "_update_failed")}
    for name in HIDDEN:
        delattr(PackageInstaller, name)
    PackageInstaller.__getattr__ = lambda self, name: functools.partial(HIDDEN[name], self)


class BuildProcessInstaller:
    def __init__(self, pkg):
        self.pkg = pkg
        self.seconds = [("stage", 0.25)]

    def run(self):
        if not os.environ.get("FAKE_KEEPS_STAGE"):
            shutil.rmtree(self.pkg.stage.path, ignore_errors=True)
        os.makedirs(self.pkg.stage.path, exist_ok=True)
        os.makedirs(self.pkg.metadata)
        try:
            self._real_install()
        except Exception:
            shutil.rmtree(self.pkg.spec.prefix)
            raise
        spack.left.of_old(self.pkg, [*self.seconds, ("post-install", 0.125)])
        shutil.rmtree(self.pkg.stage.path)

    def _real_install(self):
        pkg = self.pkg
        self._write("spack-build-env.txt", "PASSWORD=hunter2; export PASSWORD\n")
        self._write(
            "spack-build-env-mods.txt", "export CC=/usr/bin/gcc;\nexport FLAGS='-O2 -g';\nunset CFLAGS;\n"
        )
        self._write("spack-configure-args.txt", "--enable-demo")
        pkg.do_patch()
        logs = []
        try:
            for number, phase in enumerate(spack.builder.create(pkg), 1):
                log = os.path.join(pkg.stage.path, f"spack-build-{number:02d}-{phase.name}-out.txt")
                logs.append(log)
                with log_output(log):
                    print(f"==> {pkg.name}: Executing phase: '{phase.name}'")
                    sys.stdout.flush()
                    began_at = time.time()
                    phase.execute()
                    self.seconds.append((phase.name, time.time() - began_at))
        finally:
            with open(pkg.log_path, "wb") as whole:
                for log in logs:
                    with open(log, "rb") as part:
                        whole.write(part.read())

    def _write(self, name, text):
        with open(os.path.join(self.pkg.stage.path, name), "w") as file:
            file.write(text)


def build_process(pkg, send):
    try:
        BuildProcessInstaller(pkg).run()
        send.send(None)
    except Exception as error:
        send.send(str(error))


class log_output:  # noqa: N801 -- the real one's name
    def __init__(self, path):
        self.path = path

    def __enter__(self):
        sys.stdout.flush()
        self.saved = os.dup(1), os.dup(2)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.close(descriptor)

    def __exit__(self, *_):
        sys.stdout.flush()
        for descriptor, saved in zip((1, 2), self.saved):
            os.dup2(saved, descriptor)
            os.close(saved)


if os.environ.get("FAKE_UNKNOWN") == "installer":
    UnderAnotherName = PackageInstaller
    del PackageInstaller
