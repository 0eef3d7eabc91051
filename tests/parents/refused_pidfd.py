"""Open a pidfd where pidfd_open(2) fails, and print what came of it.

Usage: refused_pidfd ERRNO

The JSON object has ``opened``, for this process, and ``nobody``, for a number that nobody has.
"""

import errno
import json
import os
import sys

from tests.support.seccomp import PIDFD_OPEN, refuse
from trio_coreshift._kernel.pidfd import open_pidfd

if __name__ == "__main__":
    refuse(PIDFD_OPEN, getattr(errno, sys.argv[1]))
    found = {"opened": open_pidfd(os.getpid()), "nobody": open_pidfd(2**22 + 1)}
    sys.stdout.write(json.dumps(found))
