"""What many runs together say, as pure functions of counts."""
