import json
import os
import time
from types import SimpleNamespace

import spack.paths
import spack.spec


class Database:
    path = os.path.join(spack.paths.root, "db.json")

    def _read(self):
        if not os.path.exists(self.path):
            return {}
        with open(self.path) as file:
            return json.load(file)

    def add(self, spec, explicit=False):
        rows = self._read()
        rows[spec.dag_hash()] = {"name": spec.name, "path": spec.prefix, "time": time.time()}
        with open(self.path + ".new", "w") as file:
            json.dump(rows, file)
        os.replace(self.path + ".new", self.path)

    def has(self, spec):
        return spec.dag_hash() in self._read()

    def get_record(self, spec):
        return SimpleNamespace(installed=True, installation_time=self._read()[spec.dag_hash()]["time"])

    def query(self, wanted=None, installed=True):
        names = [row["name"] for row in self._read().values()]
        return [
            spack.spec.concretized(name)
            for name in names
            if wanted in (None, name) or name == getattr(wanted, "name", "")
        ]


STORE = SimpleNamespace(db=Database())
