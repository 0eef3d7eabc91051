"""Every backend: which descriptors from 3 on a child has."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import Channel, child, fd_table, sh
from tests.support.runs import report_of, stdout_of
from trio_coreshift import (
    Allowlist,
    CloexecOnly,
    CloseFrom3,
    CoreError,
    SpawnBackend,
    SpawnFdPolicy,
    SpawnOptions,
    spawn,
)

INHERIT = CloexecOnly()
YES, NO = True, False  # whether a descriptor is inheritable


@contextmanager
def opened(*inheritable: bool, low: int = 3) -> Iterator[tuple[int, ...]]:
    """Have a descriptor of /dev/null for each flag, from ``low`` on."""
    null = os.open(os.devnull, os.O_RDONLY)
    fds = []
    try:
        for flag in inheritable:
            fds.append(fcntl.fcntl(null, fcntl.F_DUPFD_CLOEXEC, low))
            os.set_inheritable(fds[-1], flag)
        yield tuple(fds)
    finally:
        for fd in (null, *fds):
            os.close(fd)


async def fds_of_a_child(
    backend: SpawnBackend,
    fd_policy: SpawnFdPolicy = INHERIT,
    pass_fds: tuple[int, ...] = (),
    *,
    cwd: Path | None = None,
) -> set[int]:
    """Return the numbers that a program finds open."""
    options = SpawnOptions(
        child("report_fds"), backend=backend, fd_policy=fd_policy, pass_fds=pass_fds, cwd=cwd
    )
    return set(map(int, await report_of(options)))


def flags_of(fds: tuple[int, ...]) -> list[bool]:
    """Return which of them would be inherited."""
    return [os.get_inheritable(fd) for fd in fds]


async def test_cloexec_only_follows_the_flags(backend: SpawnBackend) -> None:
    """By default the child inherits what is inheritable, and nothing that closes at exec."""
    with opened(YES, NO) as (inherited, closed):
        fds = await fds_of_a_child(backend)
    assert inherited in fds
    assert closed not in fds


async def test_nothing_of_ours_comes_along(backend: SpawnBackend) -> None:
    """Under a policy that inherits, the child still has nothing that was made for the spawn."""
    expected = {fd for fd in fd_table() if fd > 2 and os.get_inheritable(fd)}
    options = SpawnOptions(
        child("report_fds"), backend=backend, stdin=b"x" * 200_000, capture_stderr=True
    )
    assert set(map(int, await report_of(options))) == {0, 1, 2, *expected}


async def test_close_from_3_leaves_three(full_backend: SpawnBackend) -> None:
    """Under CloseFrom3 the child has its three standard streams and nothing else."""
    with opened(YES, YES, NO), opened(YES, low=200):
        assert await fds_of_a_child(full_backend, CloseFrom3()) == {0, 1, 2}


async def test_allowlist_leaves_what_is_listed(full_backend: SpawnBackend) -> None:
    """Under Allowlist the child has what is listed, wherever it is, and nothing else."""
    with opened(YES, YES, YES) as (one, _two, three), opened(YES, YES, low=200) as (far, _):
        fds = await fds_of_a_child(full_backend, Allowlist((far, one, three)))
    assert fds == {0, 1, 2, one, three, far}


async def test_allowlist_keeps_the_flag(full_backend: SpawnBackend) -> None:
    """A listed descriptor that closes at exec is not inherited, and its flag does not change."""
    with opened(YES, NO) as fds:
        assert await fds_of_a_child(full_backend, Allowlist(fds)) == {0, 1, 2, fds[0]}
        assert flags_of(fds) == [True, False]


async def test_empty_allowlist_is_close_from_3(full_backend: SpawnBackend) -> None:
    """An empty Allowlist leaves nothing from 3 on."""
    with opened(YES):
        assert await fds_of_a_child(full_backend, Allowlist(())) == {0, 1, 2}


async def test_allowlist_may_name_standard_streams(full_backend: SpawnBackend) -> None:
    """Standard streams may be listed, which means nothing."""
    with opened(YES) as (fd,):
        assert await fds_of_a_child(full_backend, Allowlist((2, 0, fd))) == {0, 1, 2, fd}


async def test_pass_fds_arrive_at_their_number(backend: SpawnBackend) -> None:
    """A passed descriptor is open in the child at the same number, whatever its flag says."""
    with Channel() as channel, opened(YES) as (other,):
        assert not os.get_inheritable(channel.write_fd)
        script = f"echo hello >/proc/self/fd/{channel.write_fd}"
        options = SpawnOptions(sh(script), backend=backend, pass_fds=[channel.write_fd, other])
        (await spawn(options)).check()
        assert not os.get_inheritable(channel.write_fd)
        channel.close_write()
        assert await channel.rest() == b"hello\n"


async def test_pass_fds_go_with_every_policy(full_backend: SpawnBackend) -> None:
    """Passed descriptors are exempt from the policy."""
    with opened(NO, YES) as (passed, listed), opened(NO, YES, low=150) as (far, _):
        fds = await fds_of_a_child(full_backend, CloseFrom3(), (far, passed))
        assert fds == {0, 1, 2, passed, far}
        fds = await fds_of_a_child(full_backend, Allowlist((listed,)), (passed,))
        assert fds == {0, 1, 2, passed, listed}
        fds = await fds_of_a_child(full_backend, Allowlist((passed,)), (passed,))
        assert fds == {0, 1, 2, passed}


async def test_pass_fds_are_never_inheritable_in_the_parent(backend: SpawnBackend) -> None:
    """While the child is made, the parent's flag of a passed descriptor does not change."""
    seen = set()
    stop = threading.Event()
    with opened(NO) as (passed,):

        def watch() -> None:
            while not stop.is_set():
                seen.add(os.get_inheritable(passed))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            for _ in range(5):
                await spawn(SpawnOptions(("/bin/true",), backend=backend, pass_fds=[passed]))
        finally:
            stop.set()
            watcher.join()
    assert seen == {False}


async def test_a_passed_descriptor_may_be_a_stream_as_well(backend: SpawnBackend) -> None:
    """The same descriptor may be the child's stdout and passed on."""
    with Channel() as channel:
        options = SpawnOptions(
            sh(f"echo a; echo b >/proc/self/fd/{channel.write_fd}"),
            backend=backend,
            stdout=channel.write_fd,
            pass_fds=[channel.write_fd],
        )
        (await spawn(options)).check()
        channel.close_write()
        assert await channel.rest() == b"a\nb\n"


async def test_policies_and_streams_go_together(full_backend: SpawnBackend) -> None:
    """Under CloseFrom3 a stream that comes from a high descriptor arrives all the same."""
    with opened(YES, low=100) as (null,), Channel() as channel:
        options = SpawnOptions(
            sh("cat; echo err >&2"),
            backend=full_backend,
            stdin=null,
            stdout=channel.write_fd,
            capture_stderr=True,
            fd_policy=CloseFrom3(),
        )
        assert (await spawn(options)).check().stderr == b"err\n"


async def test_policies_and_cwd_go_together(full_backend: SpawnBackend, tmp_path: Path) -> None:
    """Closing descriptors does not keep the child from changing its directory."""
    with opened(YES):
        fds = await fds_of_a_child(full_backend, CloseFrom3(), cwd=tmp_path)
    assert fds == {0, 1, 2}


@pytest.mark.parametrize("where", ["pass_fds", "allowlist"])
async def test_a_closed_descriptor_is_refused(full_backend: SpawnBackend, where: str) -> None:
    """A listed or passed descriptor that is not open is EBADF before anything is spawned."""
    with opened(YES) as (fd,):
        pass
    if where == "pass_fds":
        options = SpawnOptions(("/bin/true",), backend=full_backend, pass_fds=[fd])
    else:
        options = SpawnOptions(("/bin/true",), backend=full_backend, fd_policy=Allowlist((fd,)))
    with pytest.raises(CoreError, match=r"fcntl\(F_GETFD\)") as caught:
        await spawn(options)
    op = "spawn pass_fds" if where == "pass_fds" else "spawn fd allowlist"
    assert caught.value.op == f"{op} fcntl(F_GETFD)"


async def test_options_with_descriptors_can_be_used_again(backend: SpawnBackend) -> None:
    """The same options, with a passed descriptor, work any number of times."""
    with opened(NO) as (passed,):
        argv = ("readlink", f"/proc/self/fd/{passed}")
        options = SpawnOptions(argv, backend=backend, pass_fds=[passed])
        for _ in range(3):
            assert await stdout_of(options) == b"/dev/null\n"
