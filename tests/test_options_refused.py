"""Options that cannot be honoured are refused, by type and text, before anything is spawned.

The leak guard looks, after each, for a descriptor or a process that has moved.
"""

import errno
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trio

from trio_coreshift import (
    Allowlist,
    CancelPolicy,
    CloseFrom3,
    CoreError,
    ProcessGroup,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

PIPE, DEVNULL, STDOUT = subprocess.PIPE, subprocess.DEVNULL, subprocess.STDOUT
TRUE = ("/bin/true",)
BACKGROUND_IO = "background I/O capture not supported (wait must be true)"


async def sink(_chunk: bytes) -> None:
    """Take a chunk."""


def refusal(argv: Any = TRUE, **options: Any) -> str:  # noqa: ANN401 - wrong on purpose
    """Return the op of the error that building the options raises."""
    options.setdefault("backend", SpawnBackend.VFORK)
    with pytest.raises(ValueError, match=r"\(errno \d+\)") as caught:
        SpawnOptions(argv, **options)
    assert isinstance(caught.value, CoreError)
    assert caught.value.errno == errno.EINVAL
    return caught.value.op


@pytest.mark.parametrize(
    ("options", "op"),
    [
        ({"argv": ()}, "exec argv empty"),
        ({"argv": []}, "exec argv empty"),
        ({"argv": ("",)}, "exec argv empty"),
        ({"argv": (b"", "x")}, "exec argv empty"),
        ({"argv": ("a\0b",)}, "exec argv contains nul"),
        ({"argv": ("a", b"\0")}, "exec argv contains nul"),
        ({"argv": ("a", Path("x\0"))}, "exec argv contains nul"),
        ({"argv": ("a", "\ud800")}, "exec argv not encodable"),
        ({"env": {"A": "\0"}}, "exec env contains nul"),
        ({"env": {"A\0": ""}}, "exec env contains nul"),
        ({"env": {b"A": b"x\0"}}, "exec env contains nul"),
        ({"env": {"A": "\ud800"}}, "exec env not encodable"),
        ({"env": {"": "x"}}, "exec env key invalid"),
        ({"env": {b"": b"x"}}, "exec env key invalid"),
        ({"env": {"A=B": "x"}}, "exec env key invalid"),
        ({"env": {b"=": "x"}}, "exec env key invalid"),
        ({"cwd": ""}, "exec cwd empty"),
        ({"cwd": b""}, "exec cwd empty"),
        ({"cwd": "/a\0"}, "exec cwd contains nul"),
        ({"cwd": Path("\0")}, "exec cwd contains nul"),
        ({"cwd": "/\ud800"}, "exec cwd not encodable"),
        ({"stdin": -5}, "spawn stdin invalid"),
        ({"stdin": STDOUT}, "spawn stdin invalid"),
        ({"stdin": 2**31}, "spawn stdin invalid"),
        ({"stdout": -5}, "spawn stdout invalid"),
        ({"stdout": STDOUT}, "spawn stdout invalid"),
        ({"stdout": 2**64}, "spawn stdout invalid"),
        ({"stderr": -5}, "spawn stderr invalid"),
        ({"stderr": 2**31}, "spawn stderr invalid"),
        ({"max_output": -1}, "spawn max_output invalid"),
        ({"timeout": -0.001}, "spawn timeout invalid"),
        ({"timeout": math.nan}, "spawn timeout invalid"),
        ({"timeout": -math.inf}, "spawn timeout invalid"),
        ({"timeout": -(10**400)}, "spawn timeout invalid"),
        ({"kill_grace": -1}, "spawn kill_grace invalid"),
        ({"kill_grace": math.nan}, "spawn kill_grace invalid"),
        ({"drain_grace": -1}, "spawn drain_grace invalid"),
        ({"drain_grace": math.nan}, "spawn drain_grace invalid"),
        ({"abandon_after": -1}, "spawn abandon_after invalid"),
        ({"abandon_after": math.nan}, "spawn abandon_after invalid"),
        ({"pass_fds": (-1,)}, "spawn pass_fds invalid"),
        ({"pass_fds": (2,)}, "spawn pass_fds invalid"),
        ({"pass_fds": (2**31,)}, "spawn pass_fds invalid"),
        ({"pass_fds": (5, 6, 5)}, "spawn pass_fds duplicate"),
        ({"capture_stdout": True, "early_exit": b""}, "spawn early_exit pattern empty"),
        ({"capture_stdout": True, "ready": b""}, "spawn ready pattern empty"),
    ],
)
def test_an_impossible_value(options: dict[str, Any], op: str) -> None:
    """A value that can never be honoured is EINVAL, with a text that says which it is."""
    assert refusal(**options) == op


@pytest.mark.parametrize(
    ("options", "op"),
    [
        (
            {"capture_stdout": True, "stdout": PIPE},
            "spawn stdout both collected and redirected",
        ),
        ({"capture_stdout": True, "stdout": 1}, "spawn stdout both collected and redirected"),
        ({"capture_stdout": True, "stdout": 0}, "spawn stdout both collected and redirected"),
        ({"stdout_sink": sink, "stdout": DEVNULL}, "spawn stdout both collected and redirected"),
        (
            {"capture_stderr": True, "stderr": DEVNULL},
            "spawn stderr both collected and redirected",
        ),
        (
            {"capture_stderr": True, "stderr": STDOUT},
            "spawn stderr both collected and redirected",
        ),
        ({"stderr_sink": sink, "stderr": STDOUT}, "spawn stderr both collected and redirected"),
        ({"early_exit": b"x"}, "spawn early_exit needs capture_stdout or stdout_sink"),
        (
            {"early_exit": b"x", "capture_stderr": True},
            "spawn early_exit needs capture_stdout or stdout_sink",
        ),
        ({"early_exit": bool}, "spawn early_exit needs capture_stdout or stdout_sink"),
        ({"ready": b"x"}, "spawn ready pattern needs a captured stream or a sink"),
        (
            {"ready": b"x", "stdout": PIPE},
            "spawn ready pattern needs a captured stream or a sink",
        ),
        ({"wait": False, "stdin": b"x"}, BACKGROUND_IO),
        ({"wait": False, "stdin": PIPE}, BACKGROUND_IO),
        ({"wait": False, "stdout": PIPE}, BACKGROUND_IO),
        ({"wait": False, "stderr": PIPE}, BACKGROUND_IO),
        ({"wait": False, "capture_stdout": True}, BACKGROUND_IO),
        ({"wait": False, "capture_stderr": True}, BACKGROUND_IO),
        ({"wait": False, "stdout_sink": sink}, BACKGROUND_IO),
        ({"wait": False, "stderr_sink": sink}, BACKGROUND_IO),
        (
            {"wait": False, "timeout": 1},
            "background timeout or ready not supported (wait must be true)",
        ),
        (
            {"wait": False, "ready": sink},
            "background timeout or ready not supported (wait must be true)",
        ),
    ],
)
def test_an_impossible_combination(backend: SpawnBackend, options: dict[str, Any], op: str) -> None:
    """Options that contradict each other are refused with every backend."""
    assert refusal(backend=backend, **options) == op


@pytest.mark.parametrize(
    ("options", "op"),
    [
        ({"cwd": "/"}, "posix_spawn cwd unsupported"),
        ({"pgroup": ProcessGroup(isolated=True)}, "posix_spawn setsid unsupported"),
        ({"fd_policy": CloseFrom3()}, "posix_spawn fd policy unsupported"),
        ({"fd_policy": Allowlist(())}, "posix_spawn fd policy unsupported"),
        ({"fd_policy": Allowlist((3,))}, "posix_spawn fd policy unsupported"),
    ],
)
def test_what_posix_spawn_cannot_do(options: dict[str, Any], op: str) -> None:
    """POSIX_SPAWN refuses what it cannot do, and no other backend is put in its place."""
    assert refusal(backend=SpawnBackend.POSIX_SPAWN, **options) == op
    for backend in (SpawnBackend.FORK, SpawnBackend.VFORK):
        assert SpawnOptions(TRUE, backend=backend, **options).backend is backend


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"argv": "/bin/true"}, "argv must be a sequence"),
        ({"argv": b"/bin/true"}, "argv must be a sequence"),
        ({"argv": Path("/bin/true")}, "argv must be a sequence"),
        ({"argv": bytearray(b"/bin/true")}, "argv must be a sequence"),
        ({"argv": None}, "not iterable"),
        ({"argv": ("/bin/true", 1)}, "argv must be str, bytes or a path, not int"),
        ({"argv": (None,)}, "argv must be str, bytes or a path, not NoneType"),
        ({"backend": "fork"}, "backend must be SpawnBackend, not str"),
        ({"backend": None}, "backend must be SpawnBackend"),
        ({"env": [("A", "1")]}, "env must be a mapping"),
        ({"env": {1: "x"}}, "env keys must be str or bytes"),
        ({"env": {"A": 1}}, "env must be str, bytes or a path, not int"),
        ({"env": {"A": None}}, "env must be str, bytes or a path"),
        ({"cwd": 3}, "cwd must be str, bytes or a path, not int"),
        ({"stdin": "text"}, "stdin must be"),
        ({"stdin": True}, "stdin must be"),
        ({"stdout": "file"}, "stdout must be"),
        ({"stdout": b"file"}, "stdout must be"),
        ({"stdout": False}, "stdout must be"),
        ({"stderr": 1.0}, "stderr must be"),
        ({"capture_stdout": 1}, "capture_stdout must be bool"),
        ({"capture_stderr": None}, "capture_stderr must be bool"),
        ({"wait": 0}, "wait must be bool"),
        ({"pgroup": 0}, "pgroup must be ProcessGroup"),
        ({"max_output": 1.0}, "max_output must be"),
        ({"max_output": True}, "max_output must be"),
        ({"max_output": None}, "max_output must be"),
        ({"overflow": "drain"}, "overflow must be OverflowPolicy"),
        ({"overflow": CancelPolicy.KILL}, "overflow must be OverflowPolicy"),
        ({"timeout": "1"}, "timeout must be"),
        ({"timeout": True}, "timeout must be"),
        ({"kill_grace": None}, "kill_grace must be"),
        ({"drain_grace": "1"}, "drain_grace must be"),
        ({"abandon_after": [1]}, "abandon_after must be"),
        ({"cancel": "kill"}, "cancel must be CancelPolicy"),
        ({"fd_policy": None}, "fd_policy must be CloexecOnly or CloseFrom3 or Allowlist"),
        ({"fd_policy": CloseFrom3}, "fd_policy must be"),
        ({"pass_fds": ("3",)}, "file descriptor must be an int"),
        ({"pass_fds": (True,)}, "file descriptor must be an int"),
        ({"pass_fds": 3}, "not iterable"),
        ({"capture_stdout": True, "early_exit": "text"}, "early_exit must be"),
        ({"stdout_sink": b"x"}, "stdout_sink must be"),
        ({"stderr_sink": 3}, "stderr_sink must be"),
        ({"ready": "text"}, "ready must be"),
        ({"no_such_option": 1}, "no_such_option"),
    ],
)
def test_a_value_of_the_wrong_kind(options: dict[str, Any], text: str) -> None:
    """A value of the wrong kind is a TypeError that says what was expected; a str is no argv."""
    given = {"argv": TRUE, "backend": SpawnBackend.VFORK, **options}
    with pytest.raises(TypeError, match=text):
        SpawnOptions(**given)


async def refused_at_spawn(options: SpawnOptions) -> CoreError:
    """Return the error that each of the three doors gives for options refused at the spawn."""
    found = []
    with pytest.raises(CoreError) as caught:
        await spawn(options)
    found.append(caught.value)
    async with trio.open_nursery() as nursery:
        with pytest.raises(CoreError) as caught:
            await nursery.start(spawn, options)
    found.append(caught.value)
    with pytest.raises(CoreError) as caught:
        async with spawn_start(options):
            pytest.fail("the block was entered")  # pragma: no cover - only if it fails
    found.append(caught.value)
    assert len({(error.errno, error.op) for error in found}) == 1
    return found[0]


async def test_the_callers_own_group(backend: SpawnBackend) -> None:
    """Naming the caller's own group as one to be owned is EINVAL at each door."""
    own = ProcessGroup(leader=os.getpgrp())
    error = await refused_at_spawn(SpawnOptions(TRUE, backend=backend, pgroup=own))
    assert (error.errno, error.op) == (errno.EINVAL, "pgroup leader is the caller's own group")
    assert isinstance(error, ValueError)


async def test_closed_descriptors(full_backend: SpawnBackend) -> None:
    """A listed descriptor that is not open is EBADF at each door."""
    closed = os.dup(0)
    os.close(closed)
    for options, op in (
        (
            SpawnOptions(TRUE, backend=full_backend, fd_policy=Allowlist((closed,))),
            "spawn fd allowlist fcntl(F_GETFD)",
        ),
        (
            SpawnOptions(TRUE, backend=full_backend, pass_fds=(closed,)),
            "spawn pass_fds fcntl(F_GETFD)",
        ),
        (
            SpawnOptions(TRUE, backend=full_backend, stdout=closed),
            "spawn stdout fcntl(F_GETFD)",
        ),
    ):
        error = await refused_at_spawn(options)
        assert (error.errno, error.op) == (errno.EBADF, op)


async def test_a_file_that_was_closed(backend: SpawnBackend, tmp_path: Path) -> None:
    """A file object that is closed by the time of the spawn is its own error, with no child."""
    with (tmp_path / "file").open("wb") as file:
        options = SpawnOptions(TRUE, backend=backend, stdout=file)
    with pytest.raises(ValueError, match="closed file"):
        await spawn(options)


async def test_a_fileno_that_is_no_descriptor(backend: SpawnBackend) -> None:
    """An object whose ``fileno()`` is no descriptor is refused, with no child."""

    class Odd:
        def __init__(self, number: Any) -> None:  # noqa: ANN401 - wrong on purpose
            self.number = number

        def fileno(self) -> int:
            number: int = self.number
            return number

    for number in (-1, 2**40):
        with pytest.raises(ValueError, match="spawn stdin invalid"):
            await spawn(SpawnOptions(TRUE, backend=backend, stdin=Odd(number)))
    with pytest.raises(TypeError, match="descriptor"):
        await spawn(SpawnOptions(TRUE, backend=backend, stderr=Odd("2")))


@pytest.mark.parametrize("name", ["stdin", "stdout", "stderr"])
async def test_a_pipe_that_nobody_could_reach(backend: SpawnBackend, name: str) -> None:
    """PIPE is refused where no handle is given out."""
    options = SpawnOptions(TRUE, backend=backend, **{name: PIPE})  # type: ignore[arg-type]  # one of three names
    with pytest.raises(ValueError, match="spawn PIPE needs") as caught:
        await spawn(options)
    assert isinstance(caught.value, CoreError)
    assert caught.value.op == "spawn PIPE needs nursery.start or spawn_start"


async def test_readiness_that_nobody_could_see(backend: SpawnBackend) -> None:
    """``ready`` is refused where no handle is given out."""
    options = SpawnOptions(TRUE, backend=backend, capture_stdout=True, ready=b"x")
    with pytest.raises(ValueError, match="spawn ready needs") as caught:
        await spawn(options)
    assert isinstance(caught.value, CoreError)
    assert caught.value.errno == errno.EINVAL


async def test_a_block_around_a_child_that_nobody_waits_for(backend: SpawnBackend) -> None:
    """``wait=False`` is refused by the door that waits at its end."""
    with pytest.raises(ValueError, match="spawn_start needs wait") as caught:
        async with spawn_start(SpawnOptions(TRUE, backend=backend, wait=False)):
            pytest.fail("the block was entered")  # pragma: no cover - only if it fails
    assert isinstance(caught.value, CoreError)
    assert caught.value.op == "spawn_start needs wait"
