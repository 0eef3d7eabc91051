"""Print a JSON object of pid, ppid, pgid, sid, cwd, affinity and environ.

The environment is what the program was given, before the interpreter's locale coercion.

Usage: report_ids
"""

import json
import os
from pathlib import Path

environ = Path("/proc/self/environ").read_bytes().split(b"\0")
pairs = [os.fsdecode(pair).partition("=") for pair in environ if pair]
report = {
    "pid": os.getpid(),
    "ppid": os.getppid(),
    "pgid": os.getpgid(0),
    "sid": os.getsid(0),
    "cwd": str(Path.cwd()),
    "affinity": sorted(os.sched_getaffinity(0)),
    "environ": {key: value for key, _, value in pairs},
}
print(json.dumps(report))
