"""Print "ready", end the first thread and live on in the second: /proc shows a zombie.

Usage: first_thread_exits
"""

import ctypes
import os
import platform
import signal
import threading
import time

SYS_EXIT = {"x86_64": 60, "aarch64": 93, "riscv64": 93}[platform.machine()]

signal.alarm(120)


def second() -> None:
    """Be the thread that stays."""
    time.sleep(0.01)
    os.write(1, b"ready\n")
    time.sleep(120)


threading.Thread(target=second).start()
ctypes.CDLL(None).syscall(SYS_EXIT, 0)
