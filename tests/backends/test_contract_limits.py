"""Every backend: the kernel refuses descriptors, processes or pidfds, and nothing is lost by it."""

import errno

import pytest

from tests.support.parents import parent
from trio_coreshift import SpawnBackend

EXEC_STAGE = {
    SpawnBackend.FORK: "fork child execve",
    SpawnBackend.POSIX_SPAWN: "posix_spawn",
    SpawnBackend.VFORK: "vfork child execve",
}


def test_too_few_descriptors(backend: SpawnBackend) -> None:
    """With any number of free descriptors a spawn works or is a CoreError, and leaves nothing."""
    shapes = parent("few_descriptors", backend.name, 16)
    assert len(shapes) == 7
    for shape, attempts in shapes.items():
        assert len(attempts) == 16
        for free, report in enumerate(attempts):
            where = f"{shape} with {free} free: {report}"
            assert report["left"] == [], where
            assert report["next"] == "next\n", where
            if "ok" in report:
                assert report["ok"] == 0, where
            else:
                assert report["error"] == errno.EMFILE, where
                # What fails in the parent fails before there is a child.
                assert report["started"] == report["op"].startswith("fork child"), where
        assert "ok" in attempts[-1], shape
    assert "error" in shapes["captured"][0]
    # /dev/null takes the place of what was there, so the child needs no number for it.
    ops = {report["op"] for report in shapes["devnull"] if "op" in report}
    assert not any(op.startswith("fork child") for op in ops)


@pytest.mark.parametrize("code", ["ENOSYS", "EPERM", "EMFILE"])
def test_pidfd_open_that_fails_after_the_spawn(backend: SpawnBackend, code: str) -> None:
    """Where pidfd_open is refused, runs, failures, cancellation and reaping are the same."""
    assert parent("no_pidfd", backend.name, code) == {
        "refused": [code],
        "captured": ["in", 7],
        "failed": [errno.ENOENT, EXEC_STAGE[backend]],
        "cancelled": [-9, 1],
        "background": [None],
        "by pid": ["Exited(code=3)"],
        "left": [],
    }


def test_too_many_processes(backend: SpawnBackend) -> None:
    """Where the user may have no more processes: EAGAIN, and everything is as it was."""
    ops = {
        SpawnBackend.FORK: "fork",
        SpawnBackend.POSIX_SPAWN: "posix_spawn",
        SpawnBackend.VFORK: "vfork posix_spawn",
    }
    assert parent("no_processes", backend.name) == {
        "error": errno.EAGAIN,
        "op": ops[backend],
        "unchanged": True,
        "left": False,
        "next": 0,
    }
