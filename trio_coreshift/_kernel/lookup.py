"""Finds a program on a PATH as execvp(3) does, before anything is spawned."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from trio_coreshift._errors import CoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_PATH = os.fsencode(os.defpath)
_OP = "exec path lookup"


def find_program(name: bytes, env: Mapping[bytes, bytes], cwd: bytes | None) -> bytes:
    """The file that ``name`` stands for.

    Args:
        name: ``argv[0]``. With a slash in it, it is the file.
        env: What the program will have; without a PATH in it, the system's default is looked on.
        cwd: Where the program will run; relative entries of the PATH (an empty one is the
            directory itself) mean that directory, as they do for execvp(3) after a chdir(2).

    Raises:
        CoreError: ``op`` "exec path lookup": ENOENT, or EACCES where a file of that name
            exists but none may be run.
    """
    if b"/" in name:
        return name
    code = errno.ENOENT
    for entry in env.get(b"PATH", _DEFAULT_PATH).split(b":"):
        candidate = os.path.join(entry or b".", name)
        seen = candidate if cwd is None else os.path.join(cwd, candidate)
        try:
            if not stat.S_ISREG(os.stat(seen).st_mode):
                continue
        except OSError:
            continue
        if os.access(seen, os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            return candidate
        code = errno.EACCES
    raise CoreError(code, _OP, name)
