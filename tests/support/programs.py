"""Command lines and environments for the programs that tests spawn."""

import os
import sys
from pathlib import Path

from tests.support.procfs import COOKIE

_CHILDREN = Path(__file__).parent.parent / "children"
_BLOCK = bytes(range(251))

# Shows what a program is given. Python itself ignores SIGPIPE and SIGXFSZ and dash clears its mask,
# so neither could say; cat leaves its signals alone. Read the output with `signal_sets`.
SIGNAL_REPORT = ("cat", "/proc/self/status")


def child(name: str, *args: object) -> tuple[str, ...]:
    """Return the argv that runs `tests/children/<name>.py` with the given arguments.

    Args:
        name: The program, without `.py`.
        args: Its arguments; whatever is not a str is converted.
    """
    program = _CHILDREN / f"{name}.py"
    if not program.exists():
        raise FileNotFoundError(program)
    return (sys.executable, "-I", "-S", str(program), *map(str, args))


def sh(script: str, *args: str) -> tuple[str, ...]:
    """Return the argv that runs a script in `/bin/sh`; `args` are its `$1`, `$2`, ..."""
    return ("/bin/sh", "-c", script, "sh", *args)


def child_env(**extra: str) -> dict[str, str]:
    """Return our environment with additions: what a test passes as `env`.

    It carries the cookie by which the leak guard finds descendants; `env={...}` without it blinds
    the guard for everything but direct children.
    """
    return {**os.environ, **extra}


def bare_env(**extra: str) -> dict[str, str]:
    """Return an environment of nothing but the guard's cookie and what is given."""
    return {COOKIE: os.environ[COOKIE], **extra}


def pattern(size: int) -> bytes:
    """Return the bytes that `fill_stdout`, `fill_both`, `term_writes` and `endless` write.

    The period of 251 is no divisor of any buffer size, so a lost or doubled block shows.
    """
    return (_BLOCK * (size // len(_BLOCK) + 1))[:size]
