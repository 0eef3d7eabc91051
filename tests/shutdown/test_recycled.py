"""Numbers that were given to somebody else: shown in a pid namespace where the next can be set."""

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from trio_coreshift import SpawnBackend

ROOT = Path(__file__).parent.parent.parent
# As init of the namespace; when it ends, the kernel kills all others in it.
UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


@cache
def _why_not() -> str | None:
    if shutil.which("unshare") is None:
        return "there is no unshare(1)"
    probe = (*UNSHARE, "sh", "-c", "echo 1000 > /proc/sys/kernel/ns_last_pid")
    done = subprocess.run(probe, capture_output=True, check=False)
    return None if done.returncode == 0 else done.stderr.decode(errors="replace").strip()


def test_no_signal_reaches_who_got_the_number(backend: SpawnBackend) -> None:
    """Neither a process nor a group that got a child's number later is ever signalled."""
    if reason := _why_not():
        pytest.skip(reason)
    done = subprocess.run(
        (*UNSHARE, sys.executable, str(ROOT / "tests/parents/recycled.py"), backend.name),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=50,
        check=False,
    )
    assert done.stderr == b""
    report = json.loads(done.stdout)

    assert report["control"] == [True]
    for name in ("with pidfds", "without"):
        situations = report[name]
        # Whether the stranger had the number, and whether it lived.
        assert situations["process"] == [True, True], name
        assert situations["group"] == [True, True], name
        assert situations["stolen"] == [True, True, "Unknown()"], name
        assert situations["draining"] == [True], name
        assert situations["draining, no sweep"] == [True], name
