"""Each helper program does its act."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import (
    SIGNAL_REPORT,
    bare_env,
    child,
    child_env,
    group_members,
    kill_live,
    live_with_cookie,
    pattern,
    process_info,
    read_all,
    read_exactly,
    read_line,
    sh,
    signal_sets,
    wait_gone,
    wait_until,
)

PIPE = subprocess.PIPE


def output(*argv: str, stdin: bytes = b"") -> bytes:
    """Run a program that must succeed and return its stdout."""
    return subprocess.run(argv, input=stdin, stdout=PIPE, check=True).stdout


def report(*argv: str, **options: Any) -> Any:  # noqa: ANN401 - JSON, and options of run
    """Run a program and return the JSON it prints."""
    return json.loads(subprocess.run(argv, stdout=PIPE, check=True, **options).stdout)


@contextmanager
def running(*argv: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a program meanwhile, in a group of its own; yield it and its stdout's descriptor."""
    with subprocess.Popen(argv, stdin=PIPE, stdout=PIPE, bufsize=0, process_group=0) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.fileno()
        finally:
            kill_live()


def state(pid: int) -> str | None:
    """Return the letter of a process's state, None when it does not exist."""
    info = process_info(pid)
    return None if info is None else info.state


def test_cat_copies_stdin() -> None:
    """cat: what comes in goes out, more than a pipe holds too."""
    assert output(*child("cat"), stdin=pattern(200_000)) == pattern(200_000)


def test_fill_stdout_writes_the_pattern() -> None:
    """fill_stdout: exactly N bytes of the pattern, across its block size."""
    assert output(*child("fill_stdout", 1_100_000)) == pattern(1_100_000)


def test_fill_stdout_writes_to_another_descriptor() -> None:
    """fill_stdout N 2: the bytes go to stderr."""
    done = subprocess.run(child("fill_stdout", 10, 2), capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", pattern(10))


def test_fill_both_writes_to_both() -> None:
    """fill_both: exactly N bytes of the pattern on stdout and on stderr."""
    done = subprocess.run(child("fill_both", 100_001), capture_output=True, check=True)
    assert done.stdout == done.stderr == pattern(100_001)


def test_endless_writes_until_its_pipe_is_closed() -> None:
    """endless: the pattern over and over, until SIGPIPE."""
    with running(*child("endless")) as (process, stdout):
        assert read_exactly(stdout, 300_000) == pattern(300_000)
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait() == -signal.SIGPIPE


@pytest.mark.parametrize("code", [0, 1, 255])
def test_exit_with_exits(code: int) -> None:
    """exit_with: that exit code."""
    assert subprocess.run(child("exit_with", code), check=False).returncode == code


@pytest.mark.parametrize("number", ["SIGTERM", "9", "SIGSEGV", str(signal.SIGRTMIN + 1)])
def test_die_by_dies_by_signal(number: str) -> None:
    """die_by: ended by that signal, given as name or number."""
    returncode = subprocess.run(child("die_by", number), check=False).returncode
    assert -returncode == (int(number) if number.isdigit() else signal.Signals[number])


def test_ignore_term_survives_term() -> None:
    """ignore_term: SIGTERM is ignored once it is ready."""
    with running(*child("ignore_term")) as (process, stdout):
        assert read_line(stdout) == b"ready"
        status = Path(f"/proc/{process.pid}/status").read_bytes()
        assert signal.SIGTERM in signal_sets(status).ignored


def test_term_writes_writes_on_term() -> None:
    """term_writes: N bytes of the pattern after SIGTERM, then exit 0."""
    with running(*child("term_writes", 150_000)) as (process, stdout):
        assert read_line(stdout) == b"ready"
        process.terminate()
        assert read_all(stdout) == pattern(150_000)
        assert process.wait() == 0


def test_term_exits_exits_on_term() -> None:
    """term_exits: that exit code after SIGTERM."""
    with running(*child("term_exits", 7)) as (process, stdout):
        assert read_line(stdout) == b"ready"
        process.terminate()
        assert process.wait() == 7


def test_stop_self_stops_and_answers_term_when_continued() -> None:
    """stop_self: stopped until SIGCONT, then "term" and exit 3 for SIGTERM."""
    with running(*child("stop_self")) as (process, stdout):
        assert read_line(stdout) == b"ready"
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        process.terminate()
        assert state(process.pid) == "T"
        process.send_signal(signal.SIGCONT)
        assert read_line(stdout) == b"term"
        assert process.wait() == 3


@pytest.mark.parametrize("setsid", ["setsid", "same"])
@pytest.mark.parametrize("holds", ["holds", "frees"])
@pytest.mark.parametrize("ignores", ["ignores", "heeds"])
def test_spawn_grandchild_leaves_one_behind(setsid: str, holds: str, ignores: str) -> None:
    """spawn_grandchild: the parent exits 0, the grandchild lives on as the options say."""
    command = child("spawn_grandchild", setsid, holds, ignores)
    with running(*command) as (process, stdout):
        pid = int(read_line(stdout))
        assert process.wait() == 0
        info = process_info(pid)
        assert info is not None
        assert info.alive
        assert (info.sid == pid) is (setsid == "setsid")
        assert (info.pgid == process.pid) is (setsid == "same")
        holder = Path(f"/proc/{pid}/fd/1").readlink() == Path(f"/proc/self/fd/{stdout}").readlink()
        assert holder is (holds == "holds")
        ignored = signal_sets(Path(f"/proc/{pid}/status").read_bytes()).ignored
        assert (signal.SIGTERM in ignored) is (ignores == "ignores")


def test_spawn_grandchild_may_stay_or_fail() -> None:
    """spawn_grandchild: `stays` keeps the parent alive, `code=` is its exit code."""
    with running(*child("spawn_grandchild", "stays")) as (process, stdout):
        pid = int(read_line(stdout))
        assert {info.pid for info in group_members(process.pid)} == {process.pid, pid}
    with running(*child("spawn_grandchild", "code=4")) as (process, _):
        assert process.wait() == 4


def test_close_pipes_and_live_outlives_its_pipes() -> None:
    """close_pipes_and_live: the pipe ends after "ready", the process goes on."""
    with running(*child("close_pipes_and_live")) as (process, stdout):
        assert read_all(stdout) == b"ready\n"
        assert process.poll() is None


def test_report_fds_reports_all() -> None:
    """report_fds: number, target and flags of everything open, and nothing else."""
    read_fd, write_fd = os.pipe2(os.O_NONBLOCK)
    with os.fdopen(read_fd, "rb"), os.fdopen(write_fd, "wb"):
        fds = report(*child("report_fds"), stdin=subprocess.DEVNULL, pass_fds=[read_fd])
        assert fds.keys() == {"0", "1", "2", str(read_fd)}
        assert fds["0"] == {"target": "/dev/null", "cloexec": False, "nonblock": False}
        assert fds[str(read_fd)]["nonblock"]


def test_report_signals_reports_the_mask() -> None:
    """report_signals: the inherited mask, and what is ignored and caught."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        signals = report(*child("report_signals"))
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    assert signals["blocked"] == [signal.SIGUSR1]
    assert signal.SIGPIPE in signals["ignored"]
    assert signals.keys() == {"blocked", "ignored", "caught"}


def test_signal_report_shows_what_the_kernel_has() -> None:
    """SIGNAL_REPORT: the sets as given to the program, SIGPIPE not ignored by itself."""
    sets = signal_sets(output(*SIGNAL_REPORT))
    assert sets.blocked == sets.caught == frozenset()
    assert signal.SIGPIPE not in sets.ignored


def test_report_stdio_flags_reports_blocking_and_closed() -> None:
    """report_stdio_flags: true for a non-blocking, false for a blocking, null for a closed one."""
    read_fd, write_fd = os.pipe2(os.O_NONBLOCK)
    with os.fdopen(read_fd, "rb") as stdin, os.fdopen(write_fd, "wb"):
        script = 'exec "$@" 2>&-'
        flags = report(*sh(script, *child("report_stdio_flags")), stdin=stdin)
    assert flags == {"0": True, "1": False, "2": None}


def test_report_ids_reports_where_it_runs(tmp_path: Path) -> None:
    """report_ids: parent, group, session, directory, affinity and environment."""
    ids = report(*child("report_ids"), cwd=tmp_path, env=bare_env(A="1"), start_new_session=True)
    assert ids["pid"] == ids["pgid"] == ids["sid"]
    assert ids["ppid"] == os.getpid()
    assert ids["cwd"] == str(tmp_path)
    assert ids["affinity"] == sorted(os.sched_getaffinity(0))
    assert ids["environ"] == bare_env(A="1")


def test_report_args_reports_bytes_and_empty_ones() -> None:
    """report_args: each argument as it came, also empty, with spaces, or no UTF-8."""
    raw = os.fsdecode(b"\xff")
    assert report(*child("report_args", "", "a b", raw)) == ["", "a b", raw]


def test_never_reads_leaves_stdin_alone() -> None:
    """never_reads: what is written to its stdin stays in the pipe; SIGTERM kills it."""
    with running(*child("never_reads")) as (process, stdout):
        assert read_line(stdout) == b"ready"
        process.terminate()
        assert process.wait() == -signal.SIGTERM


def test_print_lines_prints_numbered_lines() -> None:
    """print_lines: N numbered lines."""
    assert output(*child("print_lines", 3)) == b"line 0\nline 1\nline 2\n"


def test_emit_writes_chunks_on_demand() -> None:
    """emit: the next chunk comes only after a line on stdin."""
    with running(*child("emit", "c3", "a9")) as (process, stdout):
        assert os.read(stdout, 10) == b"\xc3"
        assert process.stdin is not None
        process.stdin.write(b"\n")
        assert read_all(stdout) == b"\xa9"
        assert process.wait() == 0


def test_prompt_asks_and_answers() -> None:
    """prompt: a question without a line end, then the answer to the line it read."""
    with running(*child("prompt")) as (process, stdout):
        assert read_exactly(stdout, 6) == b"name? "
        assert process.stdin is not None
        process.stdin.write(b"Ada\n")
        assert read_all(stdout) == b"hello Ada\n"
        assert process.wait() == 0


def test_allocate_fills_memory() -> None:
    """allocate: its peak memory has the size asked for."""
    pid = os.posix_spawn(
        (argv := child("allocate", 64))[0],
        argv,
        child_env(),
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)],
    )
    _, status, usage = os.wait4(pid, 0)
    assert status == 0
    assert usage.ru_maxrss >= 64 * 1024


@pytest.mark.parametrize("seed", range(4))
def test_tree_grows_in_one_group(seed: int) -> None:
    """tree: all its processes stay in the group, so killing the group ends them all."""
    with running(*child("tree", seed, 2)) as (process, stdout):
        while not (line := read_line(stdout).lstrip(b"w")).startswith(b"ready"):
            assert line == b"quit"
        assert int(line.split()[1]) >= 2
        everyone = live_with_cookie()
        assert {info.pgid for info in everyone} == {process.pid}
        os.killpg(process.pid, signal.SIGKILL)
        for info in everyone:
            wait_gone(info.pid)


def test_tree_may_escape_and_exit() -> None:
    """tree: with `escape` some leave the group, with `exit` the root ends by itself."""
    with running(*child("tree", 5, 3, "escape", "exit")) as (process, stdout):
        while not read_line(stdout).lstrip(b"w").startswith(b"ready"):
            pass
        assert process.wait() == 0
        wait_until(lambda: len({info.sid for info in live_with_cookie()}) > 1)
