"""Listen on 127.0.0.1:PORT after having read a line from stdin, and answer "ok" to each connection.

With PORT 0 the kernel chooses; "listening on PORT" is written to stdout, or to stderr with the
option `stderr`. SIGTERM ends it with "stopped".

Usage: serve PORT [stderr]
"""

import os
import signal
import socket
import sys
from types import FrameType

signal.alarm(120)


def stop(_number: int, _frame: FrameType | None) -> None:
    """End on SIGTERM, saying so."""
    os.write(1, b"stopped\n")
    os._exit(0)


signal.signal(signal.SIGTERM, stop)
while os.read(0, 1) not in {b"", b"\n"}:
    pass
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    say = 2 if "stderr" in sys.argv else 1
    os.write(say, b"listening on %d\n" % server.getsockname()[1])
    while True:
        connection, _address = server.accept()
        connection.sendall(b"ok")
        connection.close()
