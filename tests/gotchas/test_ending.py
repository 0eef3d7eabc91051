"""The order of things at the end, the reason for it, and faults on the way."""

import signal
from subprocess import PIPE

import pytest
import trio

from tests.support import child, gone, pattern, process_info, sh
from trio_coreshift import (
    CancelPolicy,
    Exited,
    ExitStatusError,
    OutputLimitError,
    Process,
    RunningProcess,
    ShutdownReason,
    Signaled,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)
from trio_coreshift._escalate import Escalation
from trio_coreshift._supervise import Supervisor

PARKED = child("never_reads")


async def test_reading_goes_on_through_the_grace(backend: SpawnBackend) -> None:
    """A child that writes a megabyte when it gets SIGTERM loses no byte of it."""
    options = SpawnOptions(
        child("term_writes", 1_000_000),
        backend=backend,
        capture_stdout=True,
        ready=b"ready\n",
        cancel=CancelPolicy.GRACEFUL,
        kill_grace=30,
    )
    with trio.fail_after(20):
        async with spawn_start(options) as running:
            output = await running.stop()

    assert output.status == Exited(0)
    assert output.stdout == b"ready\n" + pattern(1_000_000)
    assert output.complete


async def test_output_that_nobody_is_left_to_read_is_no_obstacle(backend: SpawnBackend) -> None:
    """A child stuck at a full PIPE of a body that is gone writes on, and comes to its end."""
    options = SpawnOptions(
        child("fill_stdout", 1_000_000),
        backend=backend,
        stdout=PIPE,
        cancel=CancelPolicy.NONE,
    )
    handles: list[RunningProcess] = []

    async def leave() -> None:
        async with spawn_start(options) as running:
            handles.append(running)
            raise LookupError

    with trio.fail_after(20), pytest.raises(LookupError):
        await leave()

    assert handles[0].output is not None
    assert handles[0].output.status == Exited(0)


async def test_end_of_file_is_not_the_exit(backend: SpawnBackend) -> None:
    """A child that closes its pipes and lives on is waited for, and ended by its timeout."""
    options = SpawnOptions(
        child("close_pipes_and_live"), backend=backend, capture_stdout=True, timeout=0.3
    )
    output = await spawn(options)

    assert output.status == Signaled(signal.SIGKILL)
    assert output.timed_out
    assert output.complete
    assert output.stdout == b"ready\n"


async def test_the_exit_is_not_end_of_file(backend: SpawnBackend) -> None:
    """A pipe that somebody else holds open is left after ``drain_grace``, which shows."""
    options = SpawnOptions(
        sh("sleep 60 & echo $!"), backend=backend, capture_stdout=True, drain_grace=0.05
    )
    with trio.fail_after(20):
        output = await spawn(options)
    holder = process_info(int(output.stdout))

    assert holder is not None
    assert holder.alive
    assert output.status == Exited(0)
    assert not output.complete
    Process(holder.pid).kill(signal.SIGKILL)
    await gone(holder.pid)


async def test_the_first_reason_is_the_one(backend: SpawnBackend) -> None:
    """A timeout stays the reason, whatever comes on top of it during the grace."""
    options = SpawnOptions(
        child("ignore_term"),
        backend=backend,
        capture_stdout=True,
        ready=b"ready",
        timeout=0.3,
        cancel=CancelPolicy.GRACEFUL,
        kill_grace=60,
    )
    with trio.fail_after(20):
        async with spawn_start(options) as running:
            await trio.sleep(0.35)
            output = await running.stop(CancelPolicy.KILL)

    assert output.timed_out
    assert output.shutdown is not None
    assert output.shutdown.reason is ShutdownReason.TIMEOUT
    assert output.status == Signaled(signal.SIGKILL)


async def test_what_has_ended_gets_no_signal(backend: SpawnBackend) -> None:
    """An exception that comes when the child is gone leaves a complete output and sends nothing."""
    options = SpawnOptions(["echo", "done"], backend=backend, capture_stdout=True)
    handles: list[RunningProcess] = []

    async def leave() -> None:
        async with spawn_start(options) as running:
            handles.append(running)
            await running.wait()
            raise LookupError

    with pytest.raises(LookupError):
        await leave()

    output = handles[0].output
    assert output is not None
    assert output.stdout == b"done\n"
    assert output.shutdown is None
    assert output.check() is output


async def test_a_cancelled_run_keeps_what_it_has_captured(backend: SpawnBackend) -> None:
    """What the return value would have been is on the handle when the scope was cancelled."""
    options = SpawnOptions(
        sh("echo kept; exec sleep 60"), backend=backend, capture_stdout=True, ready=b"kept"
    )
    async with trio.open_nursery() as nursery:
        running: RunningProcess = await nursery.start(spawn, options)
        nursery.cancel_scope.cancel()

    assert running.output is not None
    assert running.output.stdout == b"kept\n"
    assert running.output.status == Signaled(signal.SIGKILL)


async def test_success_after_a_timeout_is_no_success(backend: SpawnBackend) -> None:
    """A program that answers SIGTERM with exit code 0 has not done its work."""
    options = SpawnOptions(
        sh("trap 'exit 0' TERM; while :; do sleep 0.01; done"),
        backend=backend,
        timeout=0.3,
        cancel=CancelPolicy.GRACEFUL,
        kill_grace=60,
    )
    with trio.fail_after(20):
        output = await spawn(options)

    assert output.status == Exited(0)
    with pytest.raises(ExitStatusError, match="after its timeout"):
        output.check()


async def test_the_limit_itself_is_not_too_much(backend: SpawnBackend) -> None:
    """Exactly ``max_output`` bytes of both streams together are fine; one more is not."""
    options = SpawnOptions(
        sh("printf 12345; printf 6789 >&2"),
        backend=backend,
        capture_stdout=True,
        capture_stderr=True,
        max_output=9,
    )
    output = await spawn(options)
    assert output.stdout + output.stderr == b"123456789"

    script = sh("printf 12345; printf 67890 >&2")
    with pytest.raises(OutputLimitError) as caught:
        await spawn(
            SpawnOptions(
                script, backend=backend, capture_stdout=True, capture_stderr=True, max_output=9
            )
        )
    assert caught.value.output is not None
    assert len(caught.value.output.stdout + caught.value.output.stderr) == 9


def test_a_killed_target_is_given_up_after_its_time() -> None:
    """SIGKILL is sent once, and what is still there ``abandon_after`` later is let go."""
    escalation = Escalation(CancelPolicy.KILL, kill_grace=1, abandon_after=5)

    assert escalation.apply(ShutdownReason.CANCELLED, 10) == (signal.SIGKILL,)
    assert escalation.apply(ShutdownReason.STOP, 11) == ()
    assert escalation.deadline == 15
    assert escalation.tick(15) == ()
    assert escalation.stage.name == "ABANDONED"


@pytest.mark.parametrize("times", [1, 1000])
async def test_a_fault_of_ours_is_an_error_and_not_a_hang(
    backend: SpawnBackend, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Once or again and again, what breaks in the supervisor ends the child and is raised."""
    left = times
    whole = Supervisor._check_collected

    def break_sometimes(self: Supervisor) -> None:
        nonlocal left
        if left:
            left -= 1
            raise RuntimeError("planted")
        whole(self)

    monkeypatch.setattr(Supervisor, "_check_collected", break_sometimes)
    options = SpawnOptions(PARKED, backend=backend, capture_stdout=True)

    with trio.fail_after(20), pytest.raises(RuntimeError, match="planted"):
        await spawn(options)
