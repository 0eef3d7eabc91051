"""Look a program up as root in name only, and print what came of it.

Usage: lookup_as_another

The JSON object has what came of a program of root's own, ``forbidden``, and of everybody's,
``allowed``, for a process whose real user is root and whose effective user is not.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from trio_coreshift._kernel.lookup import find_program


def attempt(name: bytes, folder: str) -> str:
    """Look one up."""
    try:
        find_program(name, {b"PATH": os.fsencode(folder)}, None)
    except OSError as exc:
        return next(base.__name__ for base in type(exc).__mro__ if base.__module__ == "builtins")
    return "found"


def main(folder: str) -> dict[str, str]:
    """Try both."""
    Path(folder).chmod(0o755)
    for name, mode in (("own", 0o700), ("all", 0o755)):
        (Path(folder) / name).touch()
        (Path(folder) / name).chmod(mode)
    os.seteuid(65_000)
    try:
        return {"forbidden": attempt(b"own", folder), "allowed": attempt(b"all", folder)}
    finally:
        os.seteuid(0)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir="/tmp") as scratch:
        sys.stdout.write(json.dumps(main(scratch)))
