"""Spawn with some of 0, 1 and 2 closed, and print what the children had.

Usage: closed_stdio BACKEND CLOSED...

Each CLOSED is some of the digits 0, 1 and 2. They are closed while trio runs, which is the
dangerous case: trio's own descriptors cannot have taken the free places. The JSON object has, for
each CLOSED, ``seen`` and ``expected`` for each way to set up a child, and ``left_open``: what the
parent was left with.
"""

import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import trio

from tests.support import child, fd_table, sh
from trio_coreshift import CloseFrom3, SpawnBackend, SpawnOptions, spawn, spawn_start

PIPE, DEVNULL, STDOUT = subprocess.PIPE, subprocess.DEVNULL, subprocess.STDOUT
ECHO = sh("cat; echo err >&2")
BACKEND = SpawnBackend[sys.argv[1]]
options_of = partial(SpawnOptions, backend=BACKEND)


async def captured() -> list[str]:
    """All three through pipes of ours."""
    output = await spawn(options_of(ECHO, stdin=b"in\n", capture_stdout=True, capture_stderr=True))
    return [output.stdout.decode(), output.stderr.decode(), str(output.returncode)]


async def piped() -> list[str]:
    """All three through streams of the caller's."""
    async with spawn_start(options_of(ECHO, stdin=PIPE, stdout=PIPE, stderr=PIPE)) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stderr is not None
        await running.stdin.send_all(b"in\n")
        await running.stdin.aclose()
        out = b"".join([chunk async for chunk in running.stdout])
        err = b"".join([chunk async for chunk in running.stderr])
    return [out.decode(), err.decode()]


async def to_files(scratch: Path, **more: Any) -> list[str]:  # noqa: ANN401 - of SpawnOptions
    """Output to descriptors of the caller's."""
    with (scratch / "out").open("wb") as out, (scratch / "err").open("wb") as err:
        await spawn(options_of(ECHO, stdin=b"in\n", stdout=out, stderr=err, **more))
    return [(scratch / "out").read_text(), (scratch / "err").read_text()]


async def targets(scratch: Path, **streams: Any) -> list[str]:  # noqa: ANN401 - of SpawnOptions
    """Where the child's three streams lead."""
    report = scratch / "targets"
    await spawn(options_of(child("report_stdio_targets", report), **streams))
    return report.read_text().splitlines()


async def only_stderr(**more: Any) -> list[str]:  # noqa: ANN401 - of SpawnOptions
    """Stderr through a pipe of ours, whose ends must not be in the way of the others."""
    options = options_of(sh("echo err >&2"), stdin=None, capture_stderr=True, **more)
    return [(await spawn(options)).stderr.decode()]


async def open_in_child(**more: Any) -> list[str]:  # noqa: ANN401 - of SpawnOptions
    """The descriptors of a child that should have the three and nothing else."""
    output = await spawn(options_of(("ls", "/proc/self/fd"), capture_stdout=True, **more))
    return output.stdout.decode().split()  # the last is that of the listing itself


async def tour(scratch: Path, closed: str) -> dict[str, Any]:
    """Set up a child in every way, with some of the three closed."""
    saved = [os.dup(fd) for fd in range(3)]
    inherited = [os.readlink(f"/proc/self/fd/{fd}") for fd in range(3)]  # noqa: PTH115
    for fd in map(int, closed):
        inherited[fd] = "closed"
        os.close(fd)
    before = fd_table()
    null = os.devnull
    seen = {
        "captured": await captured(),
        "piped": await piped(),
        "files": await to_files(scratch),
        "stderr beside null": await only_stderr(stdout=DEVNULL),
        "stderr beside nothing": await only_stderr(),
        "inherit": await targets(scratch, stdin=None),
        "devnull": await targets(scratch, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL),
        "only stdin": await targets(scratch),
        "only stdout": await targets(scratch, stdin=None, stdout=DEVNULL),
        "only stderr": await targets(scratch, stdin=None, stderr=DEVNULL),
        "nothing else": await open_in_child(stderr=DEVNULL),
        "to stdout": await open_in_child(stderr=STDOUT),
    }
    expected = {
        "captured": ["in\n", "err\n", "0"],
        "piped": ["in\n", "err\n"],
        "files": ["in\n", "err\n"],
        "stderr beside null": ["err\n"],
        "stderr beside nothing": ["err\n"],
        "inherit": inherited,
        "devnull": [null] * 3,
        "only stdin": [null, *inherited[1:]],
        "only stdout": [inherited[0], null, inherited[2]],
        "only stderr": [*inherited[:2], null],
        "nothing else": ["0", "1", "2", "3"],
        "to stdout": ["0", "1", "2", "3"],
    }
    if BACKEND is not SpawnBackend.POSIX_SPAWN:
        seen["closed from 3"] = await to_files(scratch, fd_policy=CloseFrom3())
        expected["closed from 3"] = ["in\n", "err\n"]
    after = fd_table()
    left_open = sorted(f"{fd} {after[fd]}" for fd in after.keys() - before.keys())
    for fd, copy in enumerate(saved):
        os.dup2(copy, fd)
        os.close(copy)
    return {"seen": seen, "expected": expected, "left_open": left_open}


async def main(scratch: Path) -> dict[str, Any]:
    """Make the tour for each."""
    return {closed: await tour(scratch, closed) for closed in sys.argv[2:]}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        sys.stdout.write(json.dumps(trio.run(main, Path(name))))
