"""Signals that the kernel refuses: recorded, warned about once, and waited for no longer than told.

A set-uid program is the usual case. Here it is the other way round, which is the same to the
kernel: the children are root's, and the process that wants to end them no longer is.
"""

import os

import pytest

from tests.support.parents import parent
from trio_coreshift import SpawnBackend

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up rights")


def test_a_child_that_cannot_be_signalled(backend: SpawnBackend) -> None:
    """It is abandoned after `abandon_after`, and reaped in the background when it ends."""
    report = parent("refused", backend.name)

    # What came out, the status, the signals, which were refused, warnings of both kinds.
    assert report["kill"] == ["abandoned", "None", ["SIGKILL"], [True], 1, 1]
    assert report["group"] == ["abandoned", "None", ["SIGKILL"], [True], 1, 1]
    assert report["captured"] == ["abandoned", "None", ["SIGKILL"], [True], 1, 1]
    signals = ["SIGTERM", "SIGCONT", "SIGKILL"]
    # SIGCONT may be sent to anybody of the same session (kill(2)).
    assert report["graceful"] == ["abandoned", "None", signals, [True, False, True], 1, 1]
    assert report["ends"] == ["returned", "Exited(code=3)", ["SIGKILL"], [True], 1, 0]
