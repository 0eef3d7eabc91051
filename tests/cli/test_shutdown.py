"""What the command does to a program that does not end by itself, run inside this process."""

import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from typing import NoReturn

import pytest
import trio.testing

from tests.support import child, process_info, sh, wait_gone
from trio_coreshift import RunningProcess, SpawnBackend, SpawnOptions, _cli, spawn_start
from trio_coreshift._cli import main

# Leaves a job that ignores SIGTERM behind, prints its pid, and waits for it.
STUBBORN = 'trap "" TERM; sleep 60 & trap - TERM; echo $!; wait'


def test_timeout(backend: SpawnBackend, capfd: pytest.CaptureFixture[str]) -> None:
    """A timeout gives 124 and not the signal's number, and the report tells it."""
    flags = ["--backend", backend.value, "--timeout", "0.05", "--report"]
    assert main([*flags, "sleep", "60"]) == 124
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "trio_coreshift: 'sleep' was ended by SIGTERM after its timeout"
    assert "SIGTERM to group" in lines[2]
    assert lines[2].endswith("(the timeout expired)")
    assert "SIGCONT to group" in lines[3]
    assert "nothing of it is left" in lines[4]
    assert lines[5].endswith("exit status 124")
    assert len(lines) == 6


def test_timeout_of_a_program_that_then_exits(
    backend: SpawnBackend, capfd: pytest.CaptureFixture[str]
) -> None:
    """A program that reacts to the timeout and exits by itself gives 124 all the same."""
    script = "trap 'exit 3' TERM; sleep 60 & wait"
    flags = ["--backend", backend.value, "--timeout", "0.2", "--json"]
    assert main([*flags, *sh(script)]) == 124
    report = json.loads(capfd.readouterr().err)
    assert (report["exit_code"], report["returncode"], report["timed_out"]) == (124, 3, True)


def test_timeout_at_once(backend: SpawnBackend) -> None:
    """A timeout of nothing is a timeout, not the lack of one."""
    assert main(["--backend", backend.value, "--timeout", "0", "sleep", "60"]) == 124


def test_the_whole_group_goes(backend: SpawnBackend, capfd: pytest.CaptureFixture[str]) -> None:
    """A background child that ignores SIGTERM gets SIGKILL after the grace, on every backend."""
    flags = ["--backend", backend.value, "--timeout", "0.2", "--grace", "0.05", "--json"]
    assert main([*flags, *sh(STUBBORN)]) == 124
    out, err = capfd.readouterr()
    info = process_info(int(out))
    assert info is None or not info.alive
    report = json.loads(err)
    assert report["signal"] == "SIGTERM"
    assert [sent["signal"] for sent in report["shutdown"]["signals"]] == [
        "SIGTERM",
        "SIGCONT",
        "SIGKILL",
    ]
    assert {sent["target"] for sent in report["shutdown"]["signals"]} == {f"group {report['pid']}"}


def test_not_isolated_the_process_alone(
    backend: SpawnBackend, capfd: pytest.CaptureFixture[str]
) -> None:
    """Under ``--no-isolated`` the program's children are not touched."""
    flags = ["--backend", backend.value, "--no-isolated", "--timeout", "0.2", "--json"]
    assert main([*flags, *sh(STUBBORN)]) == 124
    out, err = capfd.readouterr()
    pid = int(out)
    info = process_info(pid)
    assert info is not None
    assert info.alive
    os.kill(pid, signal.SIGKILL)
    wait_gone(pid)
    report = json.loads(err)
    assert {sent["target"] for sent in report["shutdown"]["signals"]} == {
        f"process {report['pid']}"
    }


def test_kill(backend: SpawnBackend, capfd: pytest.CaptureFixture[str]) -> None:
    """``--cancel kill`` sends SIGKILL and nothing before it."""
    flags = ["--backend", backend.value, "--cancel", "kill", "--timeout", "0.2", "--json"]
    assert main([*flags, *sh(STUBBORN)]) == 124
    (sent,) = json.loads(capfd.readouterr().err)["shutdown"]["signals"]
    assert sent["signal"] == "SIGKILL"


def test_none(backend: SpawnBackend, capfd: pytest.CaptureFixture[str]) -> None:
    """``--cancel none`` waits for the end, and the timeout still is one."""
    flags = ["--backend", backend.value, "--cancel", "none", "--timeout", "0", "--report"]
    assert main([*flags, *sh("sleep 0.1; exit 3")]) == 124
    lines = capfd.readouterr().err.splitlines()
    assert "trio_coreshift: '/bin/sh' exited with code " in "".join(lines)
    assert "after its timeout" in "".join(lines)
    assert "SIG" not in "".join(lines)


def test_what_is_left_behind_is_swept(
    backend: SpawnBackend, capfd: pytest.CaptureFixture[str]
) -> None:
    """After a natural end what remains of the group is killed, which is said without asking."""
    argv = child("spawn_grandchild", "code=5")
    assert main(["--backend", backend.value, "--report", *argv]) == 5
    out, err = capfd.readouterr()
    info = process_info(int(out))
    assert info is None or not info.alive
    warning, headline, *_ = err.splitlines()
    assert warning.startswith("trio_coreshift: ")
    assert "left something behind" in warning
    assert headline.endswith("exited with code 5")
    assert "(something of its group was left)" in err


def test_a_natural_end_reports_no_shutdown(
    backend: SpawnBackend, capfd: pytest.CaptureFixture[str]
) -> None:
    """A timeout that did not expire leaves no trace; ``--json`` goes before ``--report``."""
    flags = ["--backend", backend.value, "--timeout", "60", "--json", "--report"]
    started = time.monotonic()
    assert main([*flags, *sh("exit 0")]) == 0
    report = json.loads(capfd.readouterr().err)
    assert 0 < report["duration"] <= time.monotonic() - started
    assert report["usage"]["max_rss"] > 0
    assert (report["program"], report["exit_code"]) == ("/bin/sh", 0)
    assert (report["shutdown"], report["interrupted_by"], report["timed_out"]) == (
        None,
        None,
        False,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_program_runs(
    number: signal.Signals,
    backend: SpawnBackend,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A signal that comes when we listen but have no program yet is applied to it, not lost."""

    @contextlib.asynccontextmanager
    async def late(options: SpawnOptions) -> AsyncIterator[RunningProcess]:
        signal.raise_signal(number)
        await trio.testing.wait_all_tasks_blocked()
        async with spawn_start(options) as running:
            yield running

    monkeypatch.setattr(_cli, "spawn_start", late)
    assert main(["--backend", backend.value, "--json", "sleep", "60"]) == 128 + number
    report = json.loads(capfd.readouterr().err)
    assert (report["interrupted_by"], report["signal"]) == (number.name, "SIGTERM")


def test_two_signals_before_the_program_runs(
    backend: SpawnBackend,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second one is not lost either: it kills, even where the policy is to send nothing."""

    @contextlib.asynccontextmanager
    async def late(options: SpawnOptions) -> AsyncIterator[RunningProcess]:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        async with spawn_start(options) as running:
            yield running

    monkeypatch.setattr(_cli, "spawn_start", late)
    flags = ["--backend", backend.value, "--cancel", "none", "--json"]
    assert main([*flags, "sleep", "60"]) == 130
    report = json.loads(capfd.readouterr().err)
    assert (report["interrupted_by"], report["signal"]) == ("SIGINT", "SIGKILL")


def test_a_fault_of_ours_is_told_in_one_line(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that nobody has foreseen gives 125, its place, and not its text."""

    def broken(options: SpawnOptions) -> NoReturn:
        raise RuntimeError(repr(options.argv))

    monkeypatch.setattr(_cli, "spawn_start", broken)
    assert main(["true", "s3cret"]) == 125
    err = capfd.readouterr().err
    assert err.startswith("trio_coreshift: internal error: RuntimeError at ")
    assert err.count("\n") == 1
    assert "s3cret" not in err


def test_ctrl_c_before_there_is_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl+C while the arguments are read gives 130 and no traceback."""

    def interrupted(_argv: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_cli, "parse", interrupted)
    assert main(["true"]) == 130
