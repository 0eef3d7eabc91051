"""Answer each line of stdin with "N LINE", N counting from 1; "bye" ends it.

Usage: answer
"""

import os

buffer, count = b"", 0
while chunk := os.read(0, 65536):
    buffer += chunk
    *lines, buffer = buffer.split(b"\n")
    for line in lines:
        if line == b"bye":
            os._exit(0)
        count += 1
        os.write(1, b"%d %s\n" % (count, line))
