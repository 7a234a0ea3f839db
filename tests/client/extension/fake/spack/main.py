"""`spack COMMAND …`: 1 and `==> Error` for Spack's own errors, as in the real one."""

import argparse
import inspect
import multiprocessing
import os
import signal
import sys

import spack.cmd.install
import spack.error
import spack.extensions


def invoke(command, parser, args):
    """Versions after 1.2 hand a context to commands that ask for it."""
    if os.environ.get("FAKE_CONTEXT") and "ctx" in inspect.signature(command).parameters:
        return command(parser, args, ctx="a context")
    return command(parser, args)


def main():
    parser = argparse.ArgumentParser(prog="spack")
    parser.add_argument("-v", "--verbose", action="store_true")
    commands = parser.add_subparsers(dest="command")
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    if command == "monitor":
        module = spack.extensions.load_command_extension("monitor", os.environ["FAKE_EXTENSION"])
    else:
        module = spack.cmd.install
    module.setup_parser(commands.add_parser(command))
    args = parser.parse_args()
    try:
        return invoke(getattr(module, command), parser, args)
    except spack.error.SpackError as error:
        sys.stdout.flush()
        sys.stderr.write(f"==> Error: {error.message}\n")
        return 1


if __name__ == "__main__":
    # As at a terminal: what a script starts in the background is deaf to Ctrl-C, and so are its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    multiprocessing.set_start_method(os.environ.get("FAKE_START_METHOD", "fork"))
    sys.exit(main())
