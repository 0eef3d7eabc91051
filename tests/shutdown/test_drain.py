"""What is read, how long, and whether `Output.complete` tells the truth about it."""

from functools import partial
from signal import SIGCONT, SIGTERM

import pytest

from tests.shutdown.endings import alive, cancelled, failed, kill, signals_of, stopped
from tests.support import child, kill_live, pattern, sh, until, wait_gone
from trio_coreshift import (
    CancelPolicy,
    Exited,
    ProcessGroup,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

MIB = 1 << 20
GRACEFUL, KILL, NONE = CancelPolicy.GRACEFUL, CancelPolicy.KILL, CancelPolicy.NONE
captured = partial(SpawnOptions, capture_stdout=True)
ready_options = partial(captured, ready=b"ready\n")


@pytest.mark.parametrize("end", [cancelled, failed, stopped])
async def test_reading_goes_on_through_the_grace(backend: SpawnBackend, end: object) -> None:
    """A child that writes a mebibyte in its SIGTERM handler loses no byte of it."""
    options = ready_options(
        child("term_writes", MIB),
        backend=backend,
        cancel=GRACEFUL,
        kill_grace=30,
        max_output=2 * MIB,
    )
    assert callable(end)
    output = await end(options)

    assert output.status == Exited(0)
    assert output.stdout == b"ready\n" + pattern(MIB)
    assert output.complete
    assert signals_of(output) == [SIGTERM, SIGCONT]


async def test_a_sink_gets_what_is_written_in_the_grace(backend: SpawnBackend) -> None:
    """A sink is given what a SIGTERM handler writes, too."""
    teed: list[bytes] = []

    async def sink(chunk: bytes) -> None:
        teed.append(chunk)

    options = SpawnOptions(
        child("term_writes", MIB),
        backend=backend,
        cancel=GRACEFUL,
        kill_grace=30,
        stdout_sink=sink,
        ready=b"ready\n",
    )
    output = await cancelled(options)

    assert b"".join(teed) == b"ready\n" + pattern(MIB)
    assert output.status == Exited(0)


async def test_complete_after_a_natural_end(backend: SpawnBackend) -> None:
    """Natural end: read to the end of the pipe, with `drain_grace=0`, too."""
    for drain_grace in (None, 0):
        options = captured(child("fill_stdout", 200_000), backend=backend, drain_grace=drain_grace)
        output = await spawn(options)
        assert output.stdout == pattern(200_000)
        assert output.complete


async def test_complete_although_all_comes_at_once(backend: SpawnBackend) -> None:
    """Output, its end and the exit seen in one turn of the loop, with `drain_grace=0`: complete."""
    options = captured(child("fill_stdout", 50_000), backend=backend, drain_grace=0)
    async with spawn_start(options) as running:
        # The loop stands still meanwhile, which no program should do, but many a program does.
        wait_gone(running.pid)
        output = await running.wait()

    assert output.stdout == pattern(50_000)
    assert output.complete


@pytest.mark.parametrize("kill_grace", [0, 20])
async def test_complete_after_a_kill(backend: SpawnBackend, kill_grace: float) -> None:
    """Killed while it writes: when its end of the pipe is closed, what there was has been read."""
    options = captured(
        child("endless"),
        backend=backend,
        ready=pattern(1000),
        max_output=100 * MIB,
        kill_grace=kill_grace,
    )
    output = await cancelled(options)

    assert output.complete
    assert output.stdout == _endless(len(output.stdout))


def _endless(size: int) -> bytes:
    return (pattern(251 * 256) * (size // (251 * 256) + 1))[:size]


async def test_an_escapee_bounds_a_natural_drain(backend: SpawnBackend) -> None:
    """Exit is not end-of-file: a pipe held by an escapee is read for `drain_grace` only."""
    options = captured(
        child("spawn_grandchild", "setsid", "holds"), backend=backend, drain_grace=0.1
    )
    output = await spawn(options)

    assert output.status == Exited(0)
    assert not output.complete
    assert output.stdout.endswith(b"\n")
    assert 0.1 <= output.duration < 10
    assert output.shutdown is None
    kill(int(output.stdout))


async def test_an_escapee_bounds_the_drain_of_a_cancelled_child(backend: SpawnBackend) -> None:
    """The same after a cancellation: `kill_grace` is the bound, whatever `drain_grace` says."""
    options = captured(
        child("spawn_grandchild", "setsid", "holds", "stays"),
        backend=backend,
        ready=b"\n",
        kill_grace=0.1,
    )
    output = await cancelled(options)

    assert not output.complete
    assert output.stdout.endswith(b"\n")
    assert output.duration < 10
    kill(int(output.stdout))


async def test_an_escapee_does_not_hold_a_child_after_early_exit(backend: SpawnBackend) -> None:
    """The policy that follows early_exit bounds the draining of stderr as any other does."""
    options = captured(
        child("spawn_grandchild", "setsid", "holds", "stays"),
        backend=backend,
        capture_stderr=True,
        early_exit=b"\n",
        kill_grace=0.05,
    )
    output = await spawn(options)

    assert output.stdout_early_exited
    assert not output.complete
    kill(int(output.stdout))


async def test_a_background_job_bounds_a_natural_drain(backend: SpawnBackend) -> None:
    """A job that the child leaves in the caller's group is not waited for beyond `drain_grace`."""
    options = captured(sh("sleep 100 & echo $!"), backend=backend, drain_grace=0.05)
    output = await spawn(options)

    assert not output.complete
    job = int(output.stdout)
    assert alive(job)
    kill(job)


async def test_without_a_drain_grace_the_pipe_is_read_to_its_end(backend: SpawnBackend) -> None:
    """drain_grace=None: what a background job writes after the exit is part of the output."""
    output = await spawn(captured(sh("(sleep 0.1; echo late) & echo early"), backend=backend))

    assert output.stdout == b"early\nlate\n"
    assert output.complete


async def test_a_swept_job_does_not_hold_the_pipe(backend: SpawnBackend) -> None:
    """A job in the child's own group is swept, and with it goes what held the pipe."""
    options = captured(sh("sleep 100 & echo x"), backend=backend, pgroup=ProcessGroup(leader=0))
    output = await spawn(options)

    assert output.stdout == b"x\n"
    assert output.complete
    assert output.duration < 50


async def test_end_of_file_is_not_the_exit(backend: SpawnBackend) -> None:
    """A child that has closed its pipes is still waited for; its output is complete."""
    options = ready_options(
        child("close_pipes_and_live"), backend=backend, capture_stderr=True, cancel=GRACEFUL
    )
    async with spawn_start(options) as running:
        await until(lambda: running.io_done)
        assert running.output is None
        assert alive(running.pid)
        output = await running.stop()

    assert output.complete
    assert output.stdout == b"ready\n"


async def test_none_drains_a_cancelled_child(backend: SpawnBackend) -> None:
    """NONE: after a cancellation, too, everything is read to the natural end."""
    options = captured(
        child("fill_both", 300_000),
        backend=backend,
        capture_stderr=True,
        ready=pattern(1000),
        cancel=NONE,
    )
    output = await cancelled(options)

    assert output.status == Exited(0)
    assert output.stdout == output.stderr
    assert len(output.stdout) == 300_000
    assert output.complete


async def test_partial_output_of_a_cancelled_call_is_kept(backend: SpawnBackend) -> None:
    """What was read before a cancellation is on `running.output`."""
    output = await cancelled(ready_options(child("ignore_term"), backend=backend, cancel=KILL))

    assert output.stdout == b"ready\n"
    assert output.complete


async def test_what_is_captured_when_the_limit_stops_it(backend: SpawnBackend) -> None:
    """A pipe that was closed before its end is not complete."""
    options = captured(child("endless"), backend=backend, early_exit=pattern(500), kill_grace=5)
    output = await spawn(options)

    assert output.stdout_early_exited
    assert not output.complete
    kill_live()
