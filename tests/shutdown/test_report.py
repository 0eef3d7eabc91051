"""What is told afterwards: why, which signals, when; and what is never told."""

import logging
import os
from functools import partial
from signal import SIGCONT, SIGKILL, SIGTERM

import pytest

from tests.shutdown.endings import cancelled, shutdown_of
from tests.support import child, child_env, sh
from trio_coreshift import (
    CancelPolicy,
    CoreError,
    ExitStatusError,
    OutputLimitError,
    OverflowPolicy,
    ProcessGroup,
    ShutdownReason,
    SignalSent,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

ready_options = partial(SpawnOptions, capture_stdout=True, ready=b"ready\n")
GRACEFUL = CancelPolicy.GRACEFUL
OWN = ProcessGroup(leader=0)
SECRET = "hunter2"  # noqa: S105 - it stands for one
LOGGER = "trio_coreshift"


async def test_a_natural_end_has_nothing_to_tell(backend: SpawnBackend) -> None:
    """`shutdown` is None where nothing of ours had any part in the end."""
    assert (await spawn(SpawnOptions(("true",), backend=backend))).shutdown is None


async def test_every_signal_is_recorded(backend: SpawnBackend) -> None:
    """Each signal with its target, its time since the start, and that it was not refused."""
    output = await cancelled(
        ready_options(
            child("ignore_term"), backend=backend, pgroup=OWN, cancel=GRACEFUL, kill_grace=0.05
        )
    )

    signals = shutdown_of(output).signals
    assert [sent.signal for sent in signals] == [SIGTERM, SIGCONT, SIGKILL]
    assert {sent.target for sent in signals} == {f"group {output.pid}"}
    assert not any(sent.refused for sent in signals)
    assert sorted(sent.seconds for sent in signals) == [sent.seconds for sent in signals]
    assert 0 < signals[0].seconds <= signals[2].seconds <= output.duration
    assert all(isinstance(sent, SignalSent) for sent in signals)


async def test_the_first_reason_is_the_one_recorded(backend: SpawnBackend) -> None:
    """A stop during a timeout's grace, a cancellation after both: it was the timeout."""
    options = SpawnOptions(
        child("ignore_term"),
        backend=backend,
        capture_stdout=True,
        timeout=0.0,
        cancel=CancelPolicy.NONE,
    )
    async with spawn_start(options) as running:
        output = await running.stop(CancelPolicy.KILL)

    assert output.timed_out
    assert shutdown_of(output).reason is ShutdownReason.TIMEOUT
    assert [sent.signal for sent in shutdown_of(output).signals] == [SIGKILL]


async def test_overflow_is_a_reason(backend: SpawnBackend) -> None:
    """Too much output under STOP: the record is on the error's output."""
    options = SpawnOptions(
        child("endless"),
        backend=backend,
        capture_stdout=True,
        max_output=10,
        overflow=OverflowPolicy.STOP,
    )
    with pytest.raises(OutputLimitError) as caught:
        await spawn(options)

    output = caught.value.output
    assert output is not None
    assert shutdown_of(output).reason is ShutdownReason.OVERFLOW
    assert len(output.stdout) == 10


async def test_early_exit_is_a_reason(backend: SpawnBackend) -> None:
    """A match is recorded even where the child then ends by itself."""
    options = SpawnOptions(
        child("endless"), backend=backend, capture_stdout=True, early_exit=b"\x05"
    )
    output = await spawn(options)

    assert shutdown_of(output).reason is ShutdownReason.EARLY_EXIT
    assert shutdown_of(output).signals == ()


async def test_the_error_shows_stderr_and_no_secret(backend: SpawnBackend) -> None:
    """`check`: program, status and the end of stderr; no argument, no environment, no stdout."""
    options = SpawnOptions(
        sh("echo $2; echo first >&2; yes spam | head -c 5000 >&2; echo last >&2; exit 3", SECRET),
        backend=backend,
        env=child_env(TOKEN=SECRET),
        capture_stdout=True,
        capture_stderr=True,
    )
    output = await spawn(options)
    with pytest.raises(ExitStatusError) as caught:
        output.check()

    text = str(caught.value)
    assert "'/bin/sh' exited with code 3" in text
    assert text.endswith("last")
    assert "first" not in text
    assert SECRET not in text + repr(caught.value)
    assert "yes spam" not in text + repr(caught.value)
    assert len(text) < 2500


async def test_levels_of_the_log(backend: SpawnBackend, caplog: pytest.LogCaptureFixture) -> None:
    """DEBUG for launch and end, INFO for each signal with its reason."""
    caplog.set_level(logging.DEBUG, LOGGER)
    output = await cancelled(
        ready_options(
            child("ignore_term"), backend=backend, cancel=GRACEFUL, kill_grace=0.01, pgroup=OWN
        )
    )
    records = [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name == LOGGER
    ]

    levels = [level for level, _ in records]
    assert levels == ["DEBUG", "INFO", "INFO", "INFO", "DEBUG"]
    launch, term, cont, kill, end = [message for _, message in records]
    assert str(output.pid) in launch
    assert backend.name in launch
    for message, name in ((term, "SIGTERM"), (cont, "SIGCONT"), (kill, "SIGKILL")):
        assert name in message
        assert f"group {output.pid}" in message
        assert "cancelled" in message
    assert "SIGKILL" in end


async def test_a_swept_survivor_is_a_warning(
    backend: SpawnBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """WARNING, once, for a sweep that found somebody; the signal is an INFO as any other."""
    caplog.set_level(logging.DEBUG, LOGGER)
    output = await spawn(
        SpawnOptions(child("spawn_grandchild"), backend=backend, stdout=-3, pgroup=OWN)
    )

    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert f"group {output.pid}" in warnings[0].getMessage()
    assert [r.levelname for r in caplog.records if "SIGKILL" in r.getMessage()] == ["INFO"]


async def test_no_secret_is_ever_logged(
    backend: SpawnBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither arguments nor environment are in any message, whatever happens."""
    caplog.set_level(logging.DEBUG, LOGGER)
    env = child_env(TOKEN=SECRET)
    options = partial(SpawnOptions, backend=backend, env=env, pgroup=OWN)
    await spawn(options(sh("sleep 100 & exit 1", SECRET)))
    await spawn(options(sh("sleep 100", SECRET), timeout=0.01))
    with pytest.raises(CoreError):
        await spawn(options(("/nonexistent", SECRET)))
    await cancelled(options(sh("echo ready; cat", SECRET), capture_stdout=True, ready=b"ready"))

    assert caplog.records
    for record in caplog.records:
        assert SECRET not in record.getMessage()
        assert os.fsencode(SECRET) not in repr(record.args).encode()


async def test_no_secret_in_any_repr(backend: SpawnBackend) -> None:
    """Options, handle and error show the program and nothing else of what was asked for."""
    options = SpawnOptions(sh("exit 3", SECRET), backend=backend, env=child_env(TOKEN=SECRET))
    async with spawn_start(options) as running:
        texts = [repr(options), repr(running)]
    assert running.output is not None
    texts += [repr(running), repr(running.output), repr(ExitStatusError(running.output))]

    assert SECRET not in "".join(texts)
