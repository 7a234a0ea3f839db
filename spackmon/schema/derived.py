"""The filters and orders that nouns derive: `noun` puts them here, where strawberry looks them up by name."""
