"""What each field means: its SQL and its cost; the statement that they write together."""
