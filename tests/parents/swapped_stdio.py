"""Permute 0, 1 and 2 for the child, and print where what was written to each has landed.

Usage: swapped_stdio BACKEND

The JSON object maps "ABC", the parent's descriptors that were given as the child's stdin, stdout
and stderr, to the parent's descriptors that lead where the child's 0, 1 and 2 did.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import trio

from tests.support import child
from trio_coreshift import SpawnBackend, SpawnOptions, spawn


async def main(scratch: Path) -> dict[str, str]:
    """Try what has something to get wrong: exchanges, circles and doubles."""
    saved = [os.dup(fd) for fd in range(3)]
    for fd in range(3):
        file = os.open(scratch / str(fd), os.O_CREAT | os.O_RDWR)
        os.dup2(file, fd)
        os.close(file)
    landed = {}
    for given in ((0, 2, 1), (1, 0, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1), (2, 2, 1), (0, 1, 1)):
        stdin, stdout, stderr = given
        options = SpawnOptions(
            child("report_stdio_targets", scratch / "report"),
            backend=SpawnBackend[sys.argv[1]],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
        (await spawn(options)).check()
        targets = (scratch / "report").read_text().splitlines()
        landed["".join(map(str, given))] = "".join(Path(target).name for target in targets)
    for fd, copy in enumerate(saved):
        os.dup2(copy, fd)
    return landed


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        sys.stdout.write(json.dumps(trio.run(main, Path(name))))
