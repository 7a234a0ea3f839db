"""`spack monitor`: what today's Spack builds, told to a spackmon server. Standard library only, Python 3.6+.

`cmd/monitor.py` is the command. `attach` watches Spack, `journal` writes reports into the `spool`, `packing`
completes them from `files` that Spack leaves, and `sender`, in a process of its own, sends them.
"""
