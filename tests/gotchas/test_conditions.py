"""Conditions that only a process of its own can be put under."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import trio_coreshift
from tests.support.parents import parent
from trio_coreshift import SpawnBackend


def test_statuses_that_the_kernel_throws_away_are_unknown() -> None:
    """With SIGCHLD ignored each run ends, and none is told to have succeeded."""
    found = parent("ignored_sigchld")

    assert found == {backend.name: ["Unknown() None"] for backend in SpawnBackend}


@pytest.mark.skipif(os.getuid() != 0, reason="only root has children that refuse its signals")
def test_refused_signals_are_recorded_and_bounded(backend: SpawnBackend) -> None:
    """EPERM is recorded with the signal, warned about once, and the wait for the end bounded."""
    found = parent("refused_signals", backend.name)

    refused = dict(zip(found["signals"], found["refused"], strict=True))
    assert list(refused) == [15, 18, 9]
    assert refused[15]
    assert refused[9]
    assert found["refusals"] == 1
    assert found["status"] is None


@pytest.mark.parametrize("place", ["spawn", "body"])
def test_ctrl_c_once_is_the_policy_and_twice_is_sigkill(backend: SpawnBackend, place: str) -> None:
    """The first Ctrl+C asks, the second one kills, and KeyboardInterrupt comes out bare."""
    found = parent("interrupted", backend.name, place)

    assert found == {
        "raised": "KeyboardInterrupt",
        "signals": ["SIGTERM", "SIGCONT", "SIGKILL"],
        "waited": False,
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGRTMIN + 3])
def test_a_signal_that_is_pending_in_the_forked_child_has_its_default_effect(number: int) -> None:
    """No handler of the parent runs in the child, for realtime signals neither."""
    assert parent("pending_at_fork", int(number)) == number


def test_resource_is_loaded_before_it_is_needed() -> None:
    """`os.wait4` needs the module ``resource`` when it may no longer be importable."""
    code = "import sys, trio_coreshift; print('resource' in sys.modules)"
    root = str(Path(trio_coreshift.__file__).parent.parent)

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        check=True,
    )

    assert done.stdout == b"True\n"
