"""The processes that are measured: each does what it is told and answers on its stdout.

A contender has one of its own for all its rounds, or, where the state that a sample leaves behind
would count in the next one, a fresh one for each sample.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT = Path(__file__).resolve().parent.parent


class Worker:
    """A process that calls functions of this package for us."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            (sys.executable, "-m", "benchmarks.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
            text=True,
        )

    def call(self, function: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call ``module:function`` there and return what it returns.

        Both ways go through JSON.

        Raises:
            RuntimeError: It failed; its traceback is on stderr.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([function, dict(arguments)]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{function} failed with {dict(arguments)}")
        result: dict[str, Any] = json.loads(answer)
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        with self._process:  # closes its stdin, which ends it, and waits
            pass


def call_fresh(function: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Call a function in a process that has done nothing else and then ends."""
    with Worker() as worker:
        return worker.call(function, arguments)


def _serve() -> None:
    # Children inherit descriptor 1; what they may write there is no answer of ours.
    answers = os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    for line in sys.stdin:
        function, arguments = json.loads(line)
        module, _, name = function.partition(":")
        result = getattr(importlib.import_module(f"benchmarks.{module}"), name)(**arguments)
        print(json.dumps(result), file=answers, flush=True)


if __name__ == "__main__":
    _serve()
