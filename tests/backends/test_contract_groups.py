"""Every backend: the process group and the session a child is in."""

import errno
import os

import pytest
import trio

from tests.support import child, process_info
from tests.support.runs import report_of
from trio_coreshift import CoreError, ProcessGroup, SpawnBackend, SpawnOptions, spawn, spawn_start

PARKED = child("never_reads")


async def test_by_default_it_is_in_our_group(backend: SpawnBackend) -> None:
    """Without a word about groups the child is in the group and session of the parent."""
    report = await report_of(SpawnOptions(child("report_ids"), backend=backend))
    assert report["pgid"] == os.getpgrp()
    assert report["sid"] == os.getsid(0)


async def test_leader_0_is_a_new_group(backend: SpawnBackend) -> None:
    """With ``leader=0`` the child leads a group of its own in the parent's session."""
    options = SpawnOptions(child("report_ids"), backend=backend, pgroup=ProcessGroup(leader=0))
    report = await report_of(options)
    assert report["pgid"] == report["pid"]
    assert report["sid"] == os.getsid(0)


async def test_leader_n_joins_that_group(backend: SpawnBackend) -> None:
    """With ``leader=n`` the child is in group n from its first instruction on."""
    leader = SpawnOptions(PARKED, backend=backend, pgroup=ProcessGroup(leader=0))
    async with spawn_start(leader) as running:
        joined = ProcessGroup(leader=running.pid)
        report = await report_of(SpawnOptions(child("report_ids"), backend=backend, pgroup=joined))
        await running.stop()
    assert report["pgid"] == running.pid
    assert report["pid"] != running.pid


async def test_isolated_is_a_new_session(full_backend: SpawnBackend) -> None:
    """With ``isolated`` the child leads a session and a group of its own."""
    options = SpawnOptions(
        child("report_ids"), backend=full_backend, pgroup=ProcessGroup(isolated=True)
    )
    report = await report_of(options)
    assert report["sid"] == report["pgid"] == report["pid"]


@pytest.mark.parametrize("pgroup", [ProcessGroup(leader=0), ProcessGroup(isolated=True)])
async def test_the_group_exists_when_the_handle_is_there(
    full_backend: SpawnBackend, pgroup: ProcessGroup
) -> None:
    """When the caller gets the handle, the child is in its group already."""
    options = SpawnOptions(PARKED, backend=full_backend, pgroup=pgroup)
    async with spawn_start(options) as running:
        info = process_info(running.pid)
        assert info is not None
        assert info.pgid == running.pid
        await running.stop()


async def test_a_group_of_another_session_is_refused(backend: SpawnBackend) -> None:
    """Joining a group of another session is EPERM from setpgid(2), with its stage."""
    other = SpawnOptions(PARKED, backend=SpawnBackend.VFORK, pgroup=ProcessGroup(isolated=True))
    ops = {
        SpawnBackend.FORK: "fork child setpgid",
        SpawnBackend.POSIX_SPAWN: "posix_spawn",
        SpawnBackend.VFORK: "vfork child setpgid",
    }
    async with spawn_start(other) as running:
        joined = ProcessGroup(leader=running.pid)
        with pytest.raises(PermissionError) as caught:
            await spawn(SpawnOptions(("/bin/true",), backend=backend, pgroup=joined))
        await running.stop()
    assert isinstance(caught.value, CoreError)
    assert caught.value.op == ops[backend]


async def test_a_refused_group_is_told_from_a_missing_program(full_backend: SpawnBackend) -> None:
    """The errno decides on the stage: EPERM is the group's, though the program is missing, too."""
    other = SpawnOptions(PARKED, backend=SpawnBackend.VFORK, pgroup=ProcessGroup(isolated=True))
    async with spawn_start(other) as running:
        joined = ProcessGroup(leader=running.pid)
        with pytest.raises(PermissionError) as caught:
            await spawn(SpawnOptions(("/nonexistent/x",), backend=full_backend, pgroup=joined))
        await running.stop()
    assert isinstance(caught.value, CoreError)
    assert caught.value.op == f"{full_backend.value} child setpgid"


async def test_our_own_group_by_number_is_refused(backend: SpawnBackend) -> None:
    """``leader`` set to the caller's own group is refused before anything is spawned."""
    options = SpawnOptions(
        ("/bin/true",), backend=backend, pgroup=ProcessGroup(leader=os.getpgrp())
    )
    with pytest.raises(ValueError, match="the caller's own group") as caught:
        await spawn(options)
    assert isinstance(caught.value, CoreError)
    assert caught.value.errno == errno.EINVAL


async def test_a_group_that_is_gone_is_an_error(backend: SpawnBackend) -> None:
    """Joining a group that does not exist is a typed error and leaves no child."""
    async with trio.open_nursery() as nursery:
        leader = SpawnOptions(("/bin/true",), backend=backend, pgroup=ProcessGroup(leader=0))
        running = await nursery.start(spawn, leader)
    gone = ProcessGroup(leader=running.pid)
    with pytest.raises(CoreError) as caught:
        await spawn(SpawnOptions(("/bin/true",), backend=backend, pgroup=gone))
    assert caught.value.errno in {errno.EPERM, errno.ESRCH}
