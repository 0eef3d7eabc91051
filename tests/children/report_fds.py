"""Print a JSON object of the open descriptors: number to target, cloexec and nonblock.

Usage: report_fds
"""

import fcntl
import json
import os
from pathlib import Path

report = {}
for entry in list(Path("/proc/self/fd").iterdir()):
    fd = int(entry.name)
    try:
        flags = fcntl.fcntl(fd, fcntl.F_GETFD)
    except OSError:
        continue  # the descriptor the listing itself was read through
    report[entry.name] = {
        "target": str(entry.readlink()),
        "cloexec": bool(flags & fcntl.FD_CLOEXEC),
        "nonblock": not os.get_blocking(fd),
    }
print(json.dumps(report))
