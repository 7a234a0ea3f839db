"""As much of Spack as `spack monitor` meets: 0.23, 1.2's old installer, and the new one of 1.1, 1.2 and 1.3.

Written from what the public sources and recorded runs of these versions show of names, of the order of
calls, of the processes they happen in and of the files that are left. FAKE_SPACK says which it is.
"""

import os

VARIANT = os.environ["FAKE_SPACK"]
spack_version = VARIANT.partition("-")[0] + ".0"


def get_version():
    return spack_version + " (9cf66332df3dd988248617fc93400045be59ebab)"
