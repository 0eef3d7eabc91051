"""Print "up"; on SIGTERM, or when stdin ends, print "down" and exit 0.

Usage: service
"""

import os
import signal
from types import FrameType


def stop(_number: int, _frame: FrameType | None) -> None:
    """End on SIGTERM."""
    os.write(1, b"down\n")
    os._exit(0)


signal.alarm(120)
signal.signal(signal.SIGTERM, stop)
os.write(1, b"up\n")
while os.read(0, 4096):
    pass
os.write(1, b"down\n")
