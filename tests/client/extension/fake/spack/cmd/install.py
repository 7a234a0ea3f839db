import spack
import spack.cmd
import spack.environment
import spack.error

description = "build and install packages"


class tty:  # noqa: N801 -- a module in the real one
    debug = staticmethod(lambda message: None)


def setup_parser(subparser):
    subparser.add_argument("--fail-fast", action="store_true")
    subparser.add_argument("-f", "--file", action="append", default=[], dest="specfiles")
    subparser.add_argument("--overwrite", action="store_true")
    subparser.add_argument("spec", nargs="*")


def install(parser, args):
    environment = spack.environment.active_environment()
    words = args.spec or [spec.word for spec in environment.user_specs]
    specs = spack.cmd.parse_specs(words, concretize=True)
    create_installer([spec.package for spec in specs], args).install()


def create_installer(packages, args):
    if spack.VARIANT == "0.23":
        from spack.installer import PackageInstaller

        return PackageInstaller([(package, {"fail_fast": args.fail_fast}) for package in packages])
    if spack.VARIANT == "1.2-old":
        from spack.installer import PackageInstaller
    else:
        from spack.new_installer import PackageInstaller
    return PackageInstaller(packages, fail_fast=args.fail_fast, explicit=True)
