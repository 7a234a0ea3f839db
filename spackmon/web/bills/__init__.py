"""Bills of materials: what a spec, a build or an environment is made of, as SPDX and CycloneDX say it."""
