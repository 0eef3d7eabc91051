"""Running the programs of `tests/parents`, which use the package under special conditions."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import trio_coreshift

_PARENTS = Path(__file__).parent.parent / "parents"
_PATH = (Path(trio_coreshift.__file__).parent.parent, Path(__file__).parent.parent.parent)


def parent(name: str, *args: object, flags: tuple[str, ...] = ()) -> Any:  # noqa: ANN401 - JSON can be anything
    """Run `tests/parents/<name>.py` and return the JSON value that it prints.

    Args:
        name: The program, without `.py`.
        args: Its arguments; whatever is not a str is converted.
        flags: Options of the interpreter.
    """
    program = _PARENTS / f"{name}.py"
    done = subprocess.run(
        (sys.executable, *flags, str(program), *map(str, args)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, _PATH))},
        timeout=50,
        check=False,
    )
    if done.returncode or done.stderr:
        text = done.stderr.decode(errors="replace")
        raise AssertionError(f"{name} {args} ended with {done.returncode}:\n{text}")
    return json.loads(done.stdout)
