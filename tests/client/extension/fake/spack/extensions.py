"""`config:extensions`: a folder spack-NAME with NAME/cmd/COMMAND.py; its packages get their paths by hand."""

import importlib
import importlib.util
import os
import sys
import types


def load_command_extension(command, path):
    name = os.path.basename(path).split("-", 1)[1]
    for package, folder in ((name, (name,)), (name + ".cmd", (name, "cmd"))):
        directory = os.path.join(path, *folder)
        init = os.path.join(directory, "__init__.py")
        full_name = "spack.extensions." + package
        if os.path.exists(init):
            spec = importlib.util.spec_from_file_location(full_name, init)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            module = types.ModuleType(full_name)
        module.__path__ = [directory]
        sys.modules[full_name] = module
    return importlib.import_module(f"spack.extensions.{name}.cmd.{command}")
