"""Iterates over the lines of a child's stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import trio

from ._splitlines import LineSplitter

if TYPE_CHECKING:
    from collections.abc import Callable

_Line = TypeVar("_Line", str, bytes)
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
        line = self._splitter.next_line(max_line)
        if line is not None:
            await trio.lowlevel.checkpoint()
            return line
        while not self._ended:
            chunk = await self._stream.receive_some(_CHUNK)
            if not chunk:
                self._ended = True
                return self._splitter.last_line(max_line)
            self._splitter.feed(chunk)
            line = self._splitter.next_line(max_line)
            if line is not None:
                return line
        await trio.lowlevel.checkpoint()
        return self._splitter.last_line(max_line)


class LineIterator(Generic[_Line]):
    """An async iterator over lines. Leaving it half-way leaves nothing behind."""

    __slots__ = ("_convert", "_max_line", "_source")

    def __init__(
        self, source: LineSource, convert: Callable[[bytes], _Line], max_line: int
    ) -> None:
        self._source = source
        self._convert = convert
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
