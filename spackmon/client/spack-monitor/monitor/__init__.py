"""`spack monitor`: what today's Spack builds, told to a spackmon server. Standard library only, Python 3.6+.

`cmd/monitor.py` is the command. `attach` watches Spack and `phases` its builds, `concretizing` knows which
errors are the concretizer's, `afterwards` looks for what nobody heard of, `journal` writes reports into the
`spool`, `packing` completes them from the `files` that Spack leaves, and `sender`, in a process of its own,
sends them.
"""

RUN_ON = "0.23, 1.2 and 1.3"
"""The versions of Spack that the extension was run on; it was written for 0.22 to 1.3."""
