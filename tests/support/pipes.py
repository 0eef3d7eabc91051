"""Reading what a child wrote, so that tests go on when it is ready and not after a sleep."""

import os
import select
import time
from types import TracebackType
from typing import Self

import trio

_LIMIT = 10.0


def _read_some(fd: int, size: int, deadline: float) -> bytes:
    """Read from a descriptor, blocking or not, but no longer than to `deadline`."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError(f"nothing to read from descriptor {fd} in time")
    return os.read(fd, size)


def read_exactly(fd: int, size: int, limit: float = _LIMIT) -> bytes:
    """Return the next `size` bytes, fewer only at the end of the pipe; not for use inside trio."""
    deadline = time.monotonic() + limit
    data = b""
    while len(data) < size and (more := _read_some(fd, size - len(data), deadline)):
        data += more
    return data


def read_line(fd: int, limit: float = _LIMIT) -> bytes:
    """Return the next line without its end, and not a byte more; not for use inside trio."""
    deadline = time.monotonic() + limit
    line = b""
    while (byte := _read_some(fd, 1, deadline)) not in {b"", b"\n"}:
        line += byte
    return line


def read_all(fd: int, limit: float = _LIMIT) -> bytes:
    """Return everything up to the end of the pipe; not for use inside trio."""
    deadline = time.monotonic() + limit
    data = bytearray()
    while more := _read_some(fd, 65536, deadline):
        data += more
    return bytes(data)


class Channel:
    """A pipe a child writes and an async test reads, beside whatever the package does.

    Give `write_fd` to the child (as `stdout`, in `pass_fds`), call `close_write` once it has it,
    then await `line`, `exactly` or `rest`. `with` closes both ends.

    Waits are bounded by the test's timeout, not by trio's clock, which a test may have made jump.
    """

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        os.set_blocking(self.read_fd, False)
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close_write()
        self.close_read()

    def close_write(self) -> None:
        """Close our copy of the child's end, without which the end of the pipe never comes."""
        if self.write_fd >= 0:
            os.close(self.write_fd)
            self.write_fd = -1

    def close_read(self) -> None:
        """Close our end: whoever writes to the pipe from now on gets SIGPIPE."""
        if self.read_fd >= 0:
            os.close(self.read_fd)
            self.read_fd = -1

    async def _more(self) -> bool:
        """Add what is there to the buffer, waiting for something; False at the end of the pipe."""
        while True:
            await trio.lowlevel.wait_readable(self.read_fd)
            try:
                chunk = os.read(self.read_fd, 65536)
            except BlockingIOError:  # pragma: no cover - needs a second reader
                continue
            self._buffer += chunk
            return chunk != b""

    async def line(self) -> bytes:
        """Return the next line without its end; what remains at the end of the pipe."""
        while b"\n" not in self._buffer and await self._more():
            pass
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    async def exactly(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer only at the end of the pipe."""
        while len(self._buffer) < size and await self._more():
            pass
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    async def rest(self) -> bytes:
        """Return everything up to the end of the pipe."""
        while await self._more():
            pass
        data, self._buffer = self._buffer, b""
        return data
