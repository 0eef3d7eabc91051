"""Write into FILE where 0, 1 and 2 lead, a line for each, "closed" for a closed one.

Usage: report_stdio_targets FILE
"""

import os
import sys
from pathlib import Path


def target(fd: int) -> str:
    """Return where a descriptor leads."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 - the text of the link
    except OSError:
        return "closed"


lines = [f"{target(fd)}\n" for fd in range(3)]
Path(sys.argv[1]).write_text("".join(lines))
