"""spackmon: the build memory of a Spack site."""
