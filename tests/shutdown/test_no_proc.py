"""/proc cannot be read, because no descriptor is left: there is no telling who is in a group."""

import os
import resource
from collections.abc import Callable, Iterator
from signal import SIGCONT, SIGKILL, SIGTERM

import pytest

from tests.shutdown.endings import DEAF_MEMBER, cancelled, shutdown_of, signals_of
from tests.support import child, fd_table, kill_live, sh
from trio_coreshift import (
    CancelPolicy,
    Exited,
    ProcessGroup,
    RunningProcess,
    ShutdownReason,
    Signaled,
    SpawnBackend,
    SpawnOptions,
    spawn_start,
)
from trio_coreshift._kernel import pidfd

OWN = ProcessGroup(leader=0)


@pytest.fixture
def fill_table() -> Iterator[Callable[[], None]]:
    """Make a call that leaves no descriptor to be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    fillers: list[int] = []

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(fd_table()) + 1, hard))
        while True:
            try:
                fillers.append(os.dup(0))
            except OSError:
                break
        with pytest.raises(OSError, match="Too many open files"):
            os.listdir("/proc")  # noqa: PTH208 - as the package does it

    yield fill
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for fd in fillers:
        os.close(fd)


async def test_the_grace_is_kept(backend: SpawnBackend, fill_table: Callable[[], None]) -> None:
    """GRACEFUL: whoever may be left has all of ``kill_grace``, and then gets SIGKILL."""

    async def before(_running: RunningProcess) -> None:
        fill_table()

    options = SpawnOptions(
        sh(DEAF_MEMBER),
        backend=backend,
        capture_stdout=True,
        ready=b"ready\n",
        pgroup=OWN,
        cancel=CancelPolicy.GRACEFUL,
        kill_grace=0.3,
    )
    output = await cancelled(options, before)

    assert output.status == Exited(4)
    assert signals_of(output) == [SIGTERM, SIGCONT, SIGKILL]
    first, _, last = shutdown_of(output).signals
    assert last.seconds - first.seconds >= 0.3


async def test_what_was_killed_is_not_waited_for(
    backend: SpawnBackend, fill_table: Callable[[], None]
) -> None:
    """KILL: a group that never becomes empty holds nobody up."""

    async def before(_running: RunningProcess) -> None:
        fill_table()

    options = SpawnOptions(
        child("zombie_in_group", "stays"),
        backend=backend,
        capture_stdout=True,
        ready=b"\n",
        pgroup=OWN,
    )
    output = await cancelled(options, before)

    assert output.status == Signaled(SIGKILL)
    assert signals_of(output) == [SIGKILL]
    kill_live()


@pytest.mark.parametrize("pidfds", [True, False])
@pytest.mark.parametrize(
    "argv",
    [sh("sleep 100 >/dev/null & echo; exec sleep 100"), child("zombie_in_group", "stays")],
    ids=["living", "zombie"],
)
async def test_a_sweep_needs_no_list(
    backend: SpawnBackend,
    fill_table: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    argv: tuple[str, ...],
    *,
    pidfds: bool,
) -> None:
    """What remains of the group after a natural end is killed unseen (see the leak guard)."""
    if not pidfds:
        monkeypatch.setattr(pidfd, "open_pidfd", lambda _pid: None)
    options = SpawnOptions(argv, backend=backend, capture_stdout=True, ready=b"\n", pgroup=OWN)
    async with spawn_start(options) as running:
        fill_table()
        running.process.kill(SIGTERM)
        output = await running.wait()

    assert output.status == Signaled(SIGTERM)
    if output.shutdown is not None:
        assert output.shutdown.reason is ShutdownReason.SWEEP
    if "zombie_in_group" in str(argv):
        kill_live()
