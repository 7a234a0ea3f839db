"""What an installation, a failed stage or a locally saved run leaves on a disk."""
