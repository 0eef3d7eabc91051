"""Print a JSON object of O_NONBLOCK on 0, 1 and 2: true, false, or null for a closed one.

It goes to stdout, or to another descriptor where stdout is closed.

Usage: report_stdio_flags [FD]
"""

import json
import os
import sys


def nonblock(fd: int) -> bool | None:
    """Return whether a descriptor is non-blocking."""
    try:
        return not os.get_blocking(fd)
    except OSError:
        return None


out = int(sys.argv[1]) if len(sys.argv) > 1 else 1
os.write(out, json.dumps({fd: nonblock(fd) for fd in range(3)}).encode())
