"""Where the kernel, or a seccomp filter, has no pidfds: every promise holds all the same."""

from functools import cache
from typing import Any

import pytest

from tests.support.parents import parent
from tests.support.seccomp import PIDFD_OPEN, PIDFD_SEND_SIGNAL
from trio_coreshift import SpawnBackend


@cache
def _unhindered() -> Any:  # noqa: ANN401 - JSON can be anything
    return parent("shutdown_tour", "VFORK")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (PIDFD_OPEN, "ENOSYS"),
        (PIDFD_OPEN, "EPERM"),
        (PIDFD_OPEN, "EMFILE"),
        (PIDFD_SEND_SIGNAL, "ENOSYS"),
        (PIDFD_SEND_SIGNAL, "EPERM"),
        (PIDFD_SEND_SIGNAL, "EINVAL"),
    ],
    ids=[
        "open-ENOSYS",
        "open-EPERM",
        "open-EMFILE",
        "send-ENOSYS",
        "send-EPERM",
        "send-EINVAL",
    ],
)
def test_the_contract_holds(backend: SpawnBackend, number: int, code: str) -> None:
    """Each way to an end goes as it does with pidfds: same status, output, signals."""
    assert parent("shutdown_tour", backend.name, number, code) == _unhindered()


def test_what_they_are_compared_with(backend: SpawnBackend) -> None:
    """With pidfds, on every backend, the tour goes as the contract says."""
    assert parent("shutdown_tour", backend.name) == {
        "natural": ["Exited(code=7)", "x\n", True, None, [], []],
        "alone": [
            "Exited(code=5)",
            "ready\n",
            True,
            "cancelled",
            ["SIGTERM process", "SIGCONT process"],
            [],
        ],
        "killed": [KILLED, "ready\n", True, "cancelled", ["SIGKILL process"], []],
        "deaf": [
            KILLED,
            "ready\n",
            True,
            "cancelled",
            ["SIGTERM process", "SIGCONT process", "SIGKILL process"],
            [],
        ],
        "drained": [
            "Exited(code=0)",
            100_006,
            True,
            "cancelled",
            ["SIGTERM process", "SIGCONT process"],
            [],
        ],
        "group": [KILLED, "ready\n", True, "cancelled", ["SIGKILL group"], []],
        "late": [
            "Exited(code=4)",
            "ready\nbye\n",
            True,
            "cancelled",
            ["SIGTERM group", "SIGCONT group"],
            [],
        ],
        "swept": ["Exited(code=3)", False, True, "sweep", ["SIGKILL group"], []],
        "timeout": [KILLED, "", True, "timeout", ["SIGKILL process"], []],
        "none": ["Exited(code=6)", "ready\n", True, "cancelled", [], []],
        "descriptors": _unhindered()["descriptors"],
    }


KILLED = "Signaled(signal=<Signals.SIGKILL: 9>)"
