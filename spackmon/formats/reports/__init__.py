"""Reports that a program wrote of its own accord: CDash, JUnit, and our JSON."""
