"""Iterates over the lines of a child's stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import trio

from ._splitlines import LineSplitter

if TYPE_CHECKING:
    from collections.abc import Callable

_Line = TypeVar("_Line")
_CHUNK = 65536


class LineSource:
    """A stream cut into lines, which keeps its place when a loop over it is left."""

    __slots__ = ("_ended", "_splitter", "_stream")

    def __init__(self, stream: trio.lowlevel.FdStream) -> None:
        self._stream = stream
        self._splitter = LineSplitter()
        self._ended = False

    async def next_line(self, max_line: int) -> bytes | None:
        """The next line without its end; None at the end of the stream. Always a checkpoint."""
        if self._ended or self._splitter.has_line:
            # Nothing is taken before the last checkpoint: a cancelled call loses no line.
            await trio.lowlevel.checkpoint()
        while True:
            line = self._splitter.next_line(max_line)
            if line is not None:
                return line
            if self._ended:
                return self._splitter.last_line(max_line)
            chunk = await self._stream.receive_some(_CHUNK)
            if chunk:
                self._splitter.feed(chunk)
            else:
                self._ended = True


class LineIterator(Generic[_Line]):
    """An async iterator over lines. Leaving it half-way leaves nothing behind."""

    __slots__ = ("_convert", "_max_line", "_source")

    def __init__(
        self, source: LineSource, convert: Callable[[bytes], _Line], max_line: int
    ) -> None:
        self._source = source
        self._convert: Callable[[bytes], _Line] = convert
        self._max_line = max_line

    def __aiter__(self) -> LineIterator[_Line]:
        """Return self."""
        return self

    async def __anext__(self) -> _Line:
        """Return the next line."""
        line = await self._source.next_line(self._max_line)
        if line is None:
            raise StopAsyncIteration
        return self._convert(line)
