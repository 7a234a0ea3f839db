"""Documents of specs: spec JSON and YAML of every format, lock files, install databases, buildcaches."""
