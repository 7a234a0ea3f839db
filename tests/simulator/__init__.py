"""True histories of a site, reported by sources that each see a part of them: the judge of what is stored."""
