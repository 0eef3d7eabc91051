"""The command as people run it: a process of its own, its streams, and signals to it."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import child, process_info, read_line, sh
from trio_coreshift import SpawnBackend

COMMAND = (sys.executable, "-m", "trio_coreshift")
# Says when it is ready and at each SIGTERM, and goes on.
UNIMPRESSED = "trap 'echo term' TERM; echo ready; while :; do read line; done"


@contextmanager
def disposition(number: int, handler: signal.Handlers) -> Iterator[None]:
    """Let processes started inside begin with this disposition, whatever ours is."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@contextmanager
def running(*argv: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command with pipes; the body waits for its end."""
    with subprocess.Popen(
        (*COMMAND, *argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as command:
        try:
            yield command
        except BaseException:
            command.kill()  # what it leaves then, the leak guard ends
            raise


def line_of(command: subprocess.Popen[bytes]) -> bytes:
    """Return the next line that the program writes to stdout."""
    assert command.stdout is not None
    return read_line(command.stdout.fileno())


def end_of(command: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Wait for the end of the command; return its exit status and its stderr."""
    assert command.stderr is not None
    status = command.wait(20)
    return status, command.stderr.read().decode()


def test_streams_are_inherited() -> None:
    """The program reads our stdin and writes our stdout and stderr, and nothing is added."""
    done = subprocess.run(
        (*COMMAND, *sh("cat; echo err >&2; exit 6")),
        input=b"through\n",
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (6, b"through\n", b"err\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_applies_the_policy(number: signal.Signals) -> None:
    """A signal to the command is SIGTERM to the group, and 128 and its number in the end."""
    with (
        disposition(number, signal.SIG_DFL),
        running("--grace", "60", "--json", *child("term_exits", "3")) as command,
    ):
        assert line_of(command) == b"ready"
        command.send_signal(number)
        status, err = end_of(command)
    report = json.loads(err)
    assert status == report["exit_code"] == 128 + number
    assert (report["interrupted_by"], report["returncode"]) == (number.name, 3)
    assert [sent["signal"] for sent in report["shutdown"]["signals"]] == ["SIGTERM", "SIGCONT"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_inherited_as_ignored_it_counts_all_the_same(number: signal.Signals) -> None:
    """Ctrl+C and SIGTERM work where the shell has made a background job ignore them."""
    with (
        disposition(number, signal.SIG_IGN),
        running("--cancel", "kill", *child("ignore_term")) as command,
    ):
        assert line_of(command) == b"ready"
        command.send_signal(number)
        assert end_of(command) == (128 + number, "")


def test_a_hangup_that_is_ignored_is_left_alone() -> None:
    """Under nohup a lost terminal ends neither the command nor the program."""
    script = "echo ready; read line; kill -HUP $$; exit 4"
    with disposition(signal.SIGHUP, signal.SIG_IGN), running(*sh(script)) as command:
        assert line_of(command) == b"ready"
        command.send_signal(signal.SIGHUP)
        assert command.stdin is not None
        command.stdin.close()
        assert end_of(command) == (4, "")


@pytest.mark.parametrize("policy", ["graceful", "none"])
def test_a_second_signal_kills(policy: str, backend: SpawnBackend) -> None:
    """After a second signal nothing is waited for, whatever the policy and the grace."""
    flags = ["--backend", backend.value, "--cancel", policy, "--grace", "600", "--json"]
    # Where both are pending, the lower number comes first: the kernel's order, and Python's.
    with disposition(signal.SIGHUP, signal.SIG_DFL), running(*flags, *sh(UNIMPRESSED)) as command:
        assert line_of(command) == b"ready"
        command.send_signal(signal.SIGHUP)
        if policy == "graceful":
            assert line_of(command) == b"term"
        command.send_signal(signal.SIGINT)
        status, err = end_of(command)
    report = json.loads(err)
    assert status == report["exit_code"] == 129
    assert (report["interrupted_by"], report["signal"]) == ("SIGHUP", "SIGKILL")
    assert report["shutdown"]["signals"][-1]["signal"] == "SIGKILL"


def test_a_signal_counts_before_a_timeout() -> None:
    """Who interrupts the grace of a timeout is told that it was an interruption."""
    flags = ["--timeout", "0.2", "--grace", "600", "--json"]
    with running(*flags, *sh(UNIMPRESSED)) as command:
        assert (line_of(command), line_of(command)) == (b"ready", b"term")
        command.send_signal(signal.SIGINT)
        command.send_signal(signal.SIGTERM)
        status, err = end_of(command)
    report = json.loads(err)
    assert status == 130
    assert (report["timed_out"], report["shutdown"]["reason"]) == (True, "timeout")


def test_the_children_go_too() -> None:
    """Nothing that the program has started outlives an interrupted command."""
    with running("--grace", "0.05", *child("spawn_grandchild", "ignores", "stays")) as command:
        pid = int(line_of(command))
        command.send_signal(signal.SIGTERM)
        assert end_of(command) == (143, "")
    info = process_info(pid)
    assert info is None or not info.alive


def test_sigchld_ignored_by_our_parent() -> None:
    """The program's status is known even where our parent made us ignore SIGCHLD."""
    with disposition(signal.SIGCHLD, signal.SIG_IGN):
        command = subprocess.Popen((*COMMAND, *sh("exit 9")))
    assert command.wait(20) == 9


@pytest.mark.parametrize("flag", ["--report", "--json", "--no-such-flag"])
def test_a_closed_stderr_changes_nothing(flag: str) -> None:
    """Where there is no stderr, the exit status is what it would have been."""
    done = subprocess.run(sh('"$@" 2>&-', *COMMAND, flag, *sh("exit 5")), check=False)
    assert done.returncode == (125 if flag == "--no-such-flag" else 5)


@pytest.mark.parametrize("flag", ["--report", "--json", "--no-such-flag"])
@pytest.mark.parametrize("broken", ["full", "unread"])
def test_a_broken_stderr_changes_nothing(flag: str, broken: str) -> None:
    """Where stderr takes nothing, the exit status is what it would have been."""
    if broken == "full":
        fd = os.open("/dev/full", os.O_WRONLY)
    else:
        unread, fd = os.pipe()
        os.close(unread)
    try:
        done = subprocess.run((*COMMAND, flag, *sh("exit 5")), stderr=fd, check=False)
    finally:
        os.close(fd)
    assert done.returncode == (125 if flag == "--no-such-flag" else 5)


def test_a_terminal_is_there_when_not_isolated() -> None:
    """The program is in our session under ``--no-isolated``, and in its own otherwise."""
    ask = child("report_ids")
    for flags, own in (([], True), (["--no-isolated"], False)):
        done = subprocess.run((*COMMAND, *flags, *ask), stdout=subprocess.PIPE, check=True)
        ids = json.loads(done.stdout)
        assert (ids["sid"] == ids["pid"]) is own
        assert (ids["sid"] == os.getsid(0)) is not own


def test_the_example_of_the_readme() -> None:
    """README's first command shows SIGTERM and then SIGKILL to the group, with its timeline."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    words = shlex.split(readme.split("```sh\n", 1)[1].split("```", 1)[0])
    command = words[words.index("trio_coreshift") + 1 :]
    done = subprocess.run((*COMMAND, *command), stderr=subprocess.PIPE, check=False)
    assert done.returncode == 124
    told = re.findall(r"([\d.]+) s  (SIG\w+) to group", done.stderr.decode())
    assert [name for _, name in told] == ["SIGTERM", "SIGCONT", "SIGKILL"]
    assert float(told[2][0]) - float(told[0][0]) >= 0.4
