"""`spack monitor`: what today's Spack builds, told to a spackmon server. Standard library only, Python 3.6+.

`cmd/monitor.py` is the command. `attach` watches Spack and `phases` its builds, `afterwards` looks for what
neither heard of, `journal` writes reports into the `spool`, `packing` completes them from the `files` that
Spack leaves, and `sender`, in a process of its own, sends them.
"""
