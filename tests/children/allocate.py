"""Fill MIB mebibytes of memory, print "ready", and exit 0.

Usage: allocate MIB
"""

import os
import sys

memory = b"x" * (int(sys.argv[1]) << 20)
os.write(1, b"ready\n")
os._exit(memory[0] != ord("x"))
