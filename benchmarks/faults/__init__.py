"""What faults of a site cost those who report: Spack clients report while one after another is made."""
