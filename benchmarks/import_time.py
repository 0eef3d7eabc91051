"""Import time: what a program pays before it spawns anything."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from .figures import Figure
from .harness import interleave

if TYPE_CHECKING:
    from .harness import Bench

_MODULES: Final = {"vfork": "trio_coreshift", "trio": "trio"}
_SCRIPT: Final = """
import sys, time
began = time.perf_counter()
__import__(sys.argv[1])
print(time.perf_counter() - began)
"""


def measure(bench: Bench) -> list[Figure]:
    """Take the figures of this family."""
    samples = interleave(
        tuple(_MODULES), bench.pick(full=15, quick=5, tiny=1), _import_ms, _import_ms
    )
    return [
        Figure(
            name="import",
            title="import of trio_coreshift, trio included, against that of trio alone",
            unit="ms",
            samples=samples,
        )
    ]


def _import_ms(contender: str) -> float:
    command = (sys.executable, "-c", _SCRIPT, _MODULES[contender])
    # What is installed has its bytecode; a checkout would be compiled each time without it.
    env = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return float(subprocess.run(command, check=True, capture_output=True, env=env).stdout) * 1e3
