"""Where exit statuses are lost: never a success, never a hang."""

import subprocess

import pytest

from tests.support import kill_live, sh
from tests.support.parents import parent
from trio_coreshift import SpawnBackend, Unknown
from trio_coreshift._exit_watch import ExitWatch
from trio_coreshift._kernel.child import Child
from trio_coreshift._kernel.poller import Poller

UNKNOWN = ["Unknown()", None, "raises"]


def test_sigchld_ignored(backend: SpawnBackend) -> None:
    """SIGCHLD ignored: every status is `Unknown`, and `check` raises."""
    report = parent("lost_status", backend.name, "ignored")

    assert report == {
        "plain": [*UNKNOWN, ""],
        "captured": [*UNKNOWN, "x\n"],
        "group": [*UNKNOWN, ""],
        "cancelled": [*UNKNOWN, ""],
        "process": ["Unknown()"],
    }
    # A leader that is reaped before there is a pidfd of it leaves its group without a name.
    kill_live()


def test_gone_before_its_launch_is_over() -> None:
    """SIGCHLD ignored, and the child gone before anybody could take a pidfd of it: no hang."""
    report = parent("lost_status", "FORK", "early")

    assert report["plain"] == [*UNKNOWN, ""]
    assert report["captured"] == [*UNKNOWN, "x\n"]
    assert report["group"] == [*UNKNOWN, ""]
    kill_live()


def test_what_is_lost_from_the_start_is_looked_for_at_once() -> None:
    """A child that was reaped before its watch began has no event to come: the watch says so."""
    with subprocess.Popen(sh("exit 3")) as popen:
        popen.wait()
    lost = Child(popen.pid, owned=True)
    calls: list[str] = []
    watch = ExitWatch(lost, Poller())
    watch.begin(lambda: calls.append("wake"))
    watch.look()

    assert calls == ["wake"]
    assert watch.seen
    assert lost.status == Unknown()


@pytest.mark.parametrize("backend", SpawnBackend, ids=lambda backend: backend.name.lower())
def test_a_thief_reaps_first(backend: SpawnBackend) -> None:
    """Somebody in the process reaps with waitpid(-1): the true status or `Unknown`, never 0."""
    report = parent("lost_status", backend.name, "thief")

    assert report["plain"] in ([*UNKNOWN, ""], ["Exited(code=1)", 1, "raises", ""])
    assert report["captured"] in ([*UNKNOWN, "x\n"], ["Exited(code=7)", 7, "raises", "x\n"])
    assert report["group"][2] == "raises"
    assert report["cancelled"][2] == "raises"
    assert report["process"][0] in {"Unknown()", "Exited(code=7)"}
    kill_live()
