"""Every backend: what the standard streams of a child are, and what those of ours are not."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from tests.support import Channel, child, fd_table, sh
from tests.support.parents import parent
from tests.support.runs import report_of, stdout_of
from trio_coreshift import CoreError, SpawnBackend, SpawnOptions, spawn, spawn_start

PIPE, STDOUT, DEVNULL = subprocess.PIPE, subprocess.STDOUT, subprocess.DEVNULL
BOTH = sh("echo out; echo err >&2")


def close_on_exec(fd: int) -> bool:
    """Return whether a descriptor of ours closes at exec."""
    return bool(fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC)


async def test_the_childs_ends_are_blocking(backend: SpawnBackend) -> None:
    """Captured streams and fed input are blocking in the child: no program dies of EAGAIN."""
    options = SpawnOptions(
        child("report_stdio_flags"), backend=backend, stdin=b"x" * 200_000, capture_stderr=True
    )
    assert await report_of(options) == {"0": False, "1": False, "2": False}


async def test_our_ends_are_not_blocking_and_the_childs_are(backend: SpawnBackend) -> None:
    """Of a PIPE only the parent's end is non-blocking."""
    options = SpawnOptions(
        child("report_stdio_flags"), backend=backend, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    async with spawn_start(options) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stderr is not None
        for stream in (running.stdin, running.stdout, running.stderr):
            assert not os.get_blocking(stream.fileno())
        report = await running.stdout.receive_some()
    assert report == b'{"0": false, "1": false, "2": false}'


async def test_every_descriptor_of_ours_closes_at_exec(backend: SpawnBackend) -> None:
    """While children run, no descriptor made for them could get into any other program."""
    before = fd_table()
    piped = SpawnOptions(
        child("cat"), backend=backend, stdin=PIPE, stdout=PIPE, stderr=PIPE, timeout=30
    )
    captured = SpawnOptions(
        child("never_reads"),
        backend=backend,
        stdin=b"x" * 200_000,
        capture_stdout=True,
        capture_stderr=True,
    )
    async with spawn_start(piped), spawn_start(captured) as running:
        ours = fd_table().keys() - before.keys()
        assert len(ours) >= 8
        assert all(close_on_exec(fd) for fd in ours)
        assert all(fd > 2 for fd in ours)
        await running.stop()


async def test_the_default_is_end_of_input_and_our_own_output(
    backend: SpawnBackend, tmp_path: Path
) -> None:
    """By default stdin is /dev/null and stdout and stderr are those of the parent."""
    report = tmp_path / "report"
    await spawn(SpawnOptions(child("report_stdio_targets", report), backend=backend))
    ours = fd_table()
    assert report.read_text().splitlines() == [os.devnull, ours[1], ours[2]]


async def test_none_inherits_stdin(backend: SpawnBackend) -> None:
    """``stdin=None`` gives the child the parent's own stdin."""
    options = SpawnOptions(("readlink", "/proc/self/fd/0"), backend=backend, stdin=None)
    assert (await stdout_of(options)).decode().strip() == fd_table()[0]


async def test_devnull_for_all(backend: SpawnBackend, tmp_path: Path) -> None:
    """DEVNULL connects any of the three to /dev/null."""
    report = tmp_path / "report"
    options = SpawnOptions(
        child("report_stdio_targets", report),
        backend=backend,
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    await spawn(options)
    assert report.read_text().splitlines() == [os.devnull] * 3


async def test_devnull_can_be_written_and_read(backend: SpawnBackend) -> None:
    """A child may use a /dev/null of ours in both directions, as it may use a terminal."""
    script = "read x; echo y && echo z >&0 && echo ok >&2"
    options = SpawnOptions(
        sh(script), backend=backend, stdin=DEVNULL, stdout=DEVNULL, capture_stderr=True
    )
    assert (await spawn(options)).check().stderr == b"ok\n"


async def test_descriptors_and_files(backend: SpawnBackend, tmp_path: Path) -> None:
    """A descriptor, or an object that has one, becomes the child's stream and stays ours."""
    (tmp_path / "in").write_bytes(b"input\n")
    with (
        (tmp_path / "in").open("rb") as given_in,
        (tmp_path / "out").open("wb") as given_out,
        (tmp_path / "err").open("wb") as given_err,
    ):
        options = SpawnOptions(
            sh("cat; echo err >&2"),
            backend=backend,
            stdin=given_in,
            stdout=given_out.fileno(),
            stderr=given_err,
        )
        (await spawn(options)).check()
        for file in (given_in, given_out, given_err):
            assert close_on_exec(file.fileno())
    assert (tmp_path / "out").read_bytes() == b"input\n"
    assert (tmp_path / "err").read_bytes() == b"err\n"


async def test_one_descriptor_for_both(backend: SpawnBackend, tmp_path: Path) -> None:
    """The same descriptor may be stdout and stderr."""
    with (tmp_path / "out").open("wb") as given:
        await spawn(SpawnOptions(BOTH, backend=backend, stdout=given, stderr=given))
    assert (tmp_path / "out").read_bytes() == b"out\nerr\n"


async def test_a_given_descriptor_keeps_its_flags(backend: SpawnBackend) -> None:
    """A descriptor of the caller's is passed on as it is, blocking or not."""
    with Channel() as channel:
        os.set_blocking(channel.write_fd, False)
        options = SpawnOptions(child("exit_with", 0), backend=backend, stdout=channel.write_fd)
        await spawn(options)
        assert not os.get_blocking(channel.write_fd)


async def test_stderr_to_captured_stdout(backend: SpawnBackend) -> None:
    """STDOUT sends stderr where stdout goes, in the order it was written."""
    options = SpawnOptions(BOTH, backend=backend, capture_stdout=True, stderr=STDOUT)
    output = await spawn(options)
    assert output.stdout == b"out\nerr\n"
    assert output.stderr == b""


async def test_stderr_to_piped_stdout(backend: SpawnBackend) -> None:
    """STDOUT goes with a PIPE for stdout, too."""
    async with spawn_start(
        SpawnOptions(BOTH, backend=backend, stdout=PIPE, stderr=STDOUT)
    ) as running:
        assert running.stdout is not None
        assert running.stderr is None
        data = b"".join([chunk async for chunk in running.stdout])
    assert data == b"out\nerr\n"


async def test_both_captured_stay_apart(backend: SpawnBackend) -> None:
    """Captured stdout and stderr are kept apart."""
    options = SpawnOptions(BOTH, backend=backend, capture_stdout=True, capture_stderr=True)
    output = await spawn(options)
    assert (output.stdout, output.stderr) == (b"out\n", b"err\n")


@pytest.mark.parametrize("name", ["stdin", "stdout", "stderr"])
async def test_a_closed_descriptor_is_refused(backend: SpawnBackend, name: str) -> None:
    """A descriptor that is not open is EBADF before anything is spawned."""
    with Channel() as channel:
        number = channel.write_fd
    options = SpawnOptions(("/bin/true",), backend=backend, **{name: number})  # type: ignore[arg-type]  # one of three names
    with pytest.raises(CoreError) as caught:
        await spawn(options)
    assert caught.value.op == f"spawn {name} fcntl(F_GETFD)"
    assert caught.value.strerror == os.strerror(9)


def test_the_parent_may_lack_standard_streams(backend: SpawnBackend) -> None:
    """With 0, 1 or 2 closed in the parent, a child gets all that was asked for, and no more."""
    combinations = ["0", "1", "2", "01", "02", "12", "012"]
    reports = parent("closed_stdio", backend.name, *combinations)
    assert list(reports) == combinations
    for closed, report in reports.items():
        assert report["seen"].keys() == report["expected"].keys()
        assert len(report["seen"]) >= 9
        for name, seen in report["seen"].items():
            assert seen == report["expected"][name], f"{name} with {closed} closed"
        assert report["left_open"] == []


def test_the_standard_streams_may_be_swapped(backend: SpawnBackend) -> None:
    """``stdout=2, stderr=1`` exchanges the two, and other permutations of 0 to 2 work as well."""
    for streams, landed in parent("swapped_stdio", backend.name).items():
        assert landed == streams
