import os

import spack
import spack.cmd
import spack.environment
import spack.error

# A version whose installer is not where others have it.
ELSEWHERE = os.environ.get("FAKE_UNKNOWN") == "installer"

description = "build and install packages"


class tty:  # noqa: N801 -- a module in the real one
    debug = staticmethod(lambda message: None)


def setup_parser(subparser):
    subparser.add_argument("--fail-fast", action="store_true")
    subparser.add_argument("-f", "--file", action="append", default=[], dest="specfiles")
    subparser.add_argument("--overwrite", action="store_true")
    subparser.add_argument("--cache-only", action="store_true")
    subparser.add_argument("-u", "--until")
    subparser.add_argument("spec", nargs="*")


def install(parser, args, ctx=""):
    environment = spack.environment.active_environment()
    words = args.spec
    specs = spack.cmd.parse_specs(words, ctx, concretize=True) if words else environment.concretize()
    create_installer([spec.package for spec in specs], args).install()


def create_installer(packages, args):
    if spack.VARIANT.endswith("-new"):
        import spack.new_installer as module
    else:
        import spack.installer as module
    installer = module.UnderAnotherName if ELSEWHERE else module.PackageInstaller
    if spack.VARIANT == "0.23":
        arguments = {"fail_fast": args.fail_fast, "package_cache_only": args.cache_only}
        return installer([(package, arguments) for package in packages])
    policy = "cache_only" if args.cache_only else "auto"
    named = {"root_policy": policy, "fail_fast": args.fail_fast, "explicit": True}
    if args.until:
        named["stop_at"] = args.until
    return installer(packages, **named)
