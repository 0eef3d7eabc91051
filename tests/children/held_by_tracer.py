"""Exit 7, but under a tracer that keeps the exit from the parent until stdin has something to read.

The tracer is a child of ours. Prints "traced", or "refused" where there can be none, and exits.

Usage: held_by_tracer
"""

import ctypes
import os
import signal

PTRACE_SEIZE = 0x4206
PR_SET_PTRACER = 0x59616D61

signal.alarm(120)
libc = ctypes.CDLL(None)
go_r, go_w = os.pipe()
done_r, done_w = os.pipe()
traced = os.getpid()
tracer = os.fork()
if tracer == 0:
    signal.alarm(120)
    os.read(go_r, 1)
    refused = libc.ptrace(PTRACE_SEIZE, traced, None, None)
    os.write(done_w, b"traced\n" if refused == 0 else b"refused\n")
    os.read(0, 1)
    os._exit(0)  # a tracer that goes lets go of what it traces
libc.prctl(PR_SET_PTRACER, tracer, 0, 0, 0)
os.write(go_w, b".")
os.write(1, os.read(done_r, 20))
os._exit(7)
