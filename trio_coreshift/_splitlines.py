"""Cuts a stream of bytes into lines. Pure: no descriptors, no waiting."""

from __future__ import annotations

import codecs
from collections import deque

from ._errors import OutputLimitError


class LineSplitter:
    """Collects chunks and hands out whole lines.

    A line ends with LF, or with CR LF; neither is part of it. A CR elsewhere is text.
    """

    __slots__ = ("_lines", "_partial", "_size")

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._partial: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        """Add what was read."""
        head, newline, rest = chunk.partition(b"\n")
        self._partial.append(head)
        self._size += len(head)
        if not newline:
            return
        self._lines.append(b"".join(self._partial))
        *whole, last = rest.split(b"\n")
        self._lines.extend(whole)
        self._partial = [last]
        self._size = len(last)

    @property
    def has_line(self) -> bool:
        """Whether there is a whole line to be had."""
        return bool(self._lines)

    def next_line(self, max_line: int) -> bytes | None:
        """The next whole line, or None if more must be fed first.

        Raises:
            OutputLimitError: ``op`` "read line limit": the line is longer than ``max_line``
                bytes. It stays where it is, so that asking with a larger limit gives it whole.
        """
        if self._lines:
            line = self._lines[0].removesuffix(b"\r")
            if len(line) > max_line:
                raise OutputLimitError("read line limit", head=line[:max_line])
            self._lines.popleft()
            return line
        # One byte of tolerance: the last one may be the CR of a line end still to come.
        if self._size > max_line + 1:
            self._partial = [b"".join(self._partial)]
            raise OutputLimitError("read line limit", head=self._partial[0][:max_line])
        return None

    def last_line(self, max_line: int) -> bytes | None:
        """At the end of the stream: a last line that has no newline, or None."""
        line = b"".join(self._partial)
        if not line:
            return None
        if len(line) > max_line:
            raise OutputLimitError("read line limit", head=line[:max_line])
        self._partial = []
        self._size = 0
        return line


def check_encoding(encoding: str, errors: str) -> None:
    """Refuse an encoding that does not exist or whose lines do not end with the byte 10.

    Raises:
        LookupError: No such encoding or error handler.
        ValueError: A newline is not one byte in it (UTF-16, UTF-32).
    """
    codecs.lookup_error(errors)
    if "\n".encode(encoding) != b"\n":
        msg = f"lines in {encoding} do not end with the byte 10; read bytes and decode them"
        raise ValueError(msg)
