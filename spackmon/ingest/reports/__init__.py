"""What the store makes of each kind of report."""
