"""Measurements of spackmon, beside the targets it has to meet and beside other ways to do the same.

Every ratio is taken within one run, in rounds that alternate, and CPU time is preferred to the clock on
the wall: machines that measure are rarely quiet.
"""
