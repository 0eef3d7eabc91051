"""Print a JSON object of signal numbers: blocked, ignored and caught.

The interpreter itself ignores SIGPIPE (13) and SIGXFSZ (25) and catches SIGINT unless it is
ignored, whatever it was given; to see what a program is given for these, run `SIGNAL_REPORT`.

Usage: report_signals
"""

import json
from pathlib import Path

names = {"SigBlk": "blocked", "SigIgn": "ignored", "SigCgt": "caught"}
report = {}
for line in Path("/proc/self/status").read_bytes().decode(errors="replace").splitlines():
    key, _, value = line.partition(":")
    if key in names:
        mask = int(value, 16)
        report[names[key]] = [number for number in range(1, 65) if mask >> (number - 1) & 1]
print(json.dumps(report))
