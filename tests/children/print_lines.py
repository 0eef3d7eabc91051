r"""Print "line 0" to "line N-1", to stdout or another descriptor, and exit 0.

Usage: print_lines N [FD]
"""

import os
import sys

fd = int(sys.argv[2]) if len(sys.argv) > 2 else 1
data = memoryview(b"".join(b"line %d\n" % number for number in range(int(sys.argv[1]))))
while data:
    data = data[os.write(fd, data) :]
