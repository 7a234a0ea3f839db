"""Which programs the loader still starts when one library takes another's place, by what it reads itself."""
