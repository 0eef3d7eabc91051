"""Talk to an interactive program: ask a Python interpreter, which remembers, one thing at a time.

    python talk_to_interactive.py "n = 6 * 7" "print(n)" "n + 1"

Three things make such a conversation safe. The program must not buffer its answers: it sees a pipe,
not a terminal, so it is told (``-u``). The end of an answer must be recognized: after each request
comes one whose answer is a mark. And what it says on stderr must be read, or it would stand still
once that pipe is full: it is captured, and what is more than a mebibyte is dropped.
"""

import subprocess
import sys
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import trio

from trio_coreshift import (
    OverflowPolicy,
    RunningProcess,
    SpawnBackend,
    SpawnOptions,
    spawn_start,
)


class Interpreter:
    """A conversation with a Python interpreter."""

    def __init__(self, running: RunningProcess, stdin: trio.abc.SendStream) -> None:
        self._stdin = stdin
        self._lines = running.lines()
        self._mark = uuid.uuid4().hex

    async def ask(self, statement: str) -> list[str]:
        """Send a statement of one line; return the lines of the answer.

        Raises:
            EOFError: The interpreter has ended.
        """
        await self._stdin.send_all(f"{statement}\nprint({self._mark!r})\n".encode())
        answer: list[str] = []
        async for line in self._lines:
            if line == self._mark:
                return answer
            answer.append(line)
        raise EOFError("the interpreter has ended")


@asynccontextmanager
async def interpreter() -> AsyncGenerator[Interpreter, None]:
    """Run an interpreter for the length of a block; the block's end closes its stdin."""
    options = SpawnOptions(
        [sys.executable, "-q", "-i", "-u"],
        backend=SpawnBackend.VFORK,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        capture_stderr=True,
        overflow=OverflowPolicy.TRUNCATE,
    )
    async with spawn_start(options) as running:
        assert running.stdin is not None  # it is a PIPE
        yield Interpreter(running, running.stdin)


async def main(statements: Sequence[str]) -> None:
    """Ask everything, each within ten seconds."""
    async with interpreter() as python:
        for statement in statements:
            with trio.fail_after(10):
                answer = await python.ask(statement)
            print(f"{statement}  ->  {' / '.join(answer) or '(nothing)'}")


if __name__ == "__main__":
    trio.run(main, sys.argv[1:] or ["n = 6 * 7", "print(n)", "n + 1"])
