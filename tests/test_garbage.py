"""What a run was made of goes with it: nothing is left for the garbage collector to find."""

import gc
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import sh
from trio_coreshift import CancelPolicy, ProcessGroup, SpawnBackend, SpawnOptions, spawn


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Have no garbage collected meanwhile."""
    before = gc.isenabled()
    gc.collect()
    gc.disable()
    yield
    (gc.enable if before else gc.disable)()


def ours() -> Counter[str]:
    """Count the objects of the package's own classes that are not classes or functions."""
    names = (f"{type(thing).__module__}.{type(thing).__name__}" for thing in gc.get_objects())
    return Counter(name for name in names if name.startswith("trio_coreshift."))


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"capture_stdout": True, "capture_stderr": True, "stdin": b"x"},
        {"capture_stdout": True, "early_exit": b"out", "cancel": CancelPolicy.GRACEFUL},
        {"pgroup": ProcessGroup(leader=0), "timeout": 0.01},
        {"timeout": 60.0, "abandon_after": 60.0},
    ],
    ids=["plain", "captured", "early_exit", "timed_out", "deadlines"],
)
async def test_a_run_leaves_no_garbage(backend: SpawnBackend, more: dict[str, Any]) -> None:
    """Many runs in a row keep no more memory than one."""
    script = "exec sleep 60" if more.get("timeout") == 0.01 else "echo out"
    options = SpawnOptions(sh(script), backend=backend, **more)
    await spawn(options)
    before = ours()
    for _ in range(3):
        await spawn(options)

    assert ours() - before == Counter()
