"""Every backend: a program that cannot be run is a typed error with its stage, and leaves nothing.

That no descriptor and no zombie is left is what the leak guard looks at after each of these.
"""

import errno
import os
import re
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import pytest
import trio

from trio_coreshift import CoreError, SpawnBackend, SpawnOptions, spawn, spawn_start

TRUE = Path("/bin/true").read_bytes()
Door = Callable[[SpawnOptions], Awaitable[object]]


async def by_start(options: SpawnOptions) -> None:
    """Spawn as a background task."""
    error = None
    async with trio.open_nursery() as nursery:
        try:
            await nursery.start(spawn, options)
        except CoreError as exc:  # it comes out of `start` as itself; a nursery would wrap it
            error = exc
    assert error is not None
    raise error


async def by_block(options: SpawnOptions) -> None:
    """Spawn around a block."""
    async with spawn_start(options):
        pytest.fail("the block was entered")  # pragma: no cover - only if it fails


@pytest.fixture(params=[spawn, by_start, by_block], ids=lambda door: door.__name__)
def door(request: pytest.FixtureRequest) -> Door:
    """Run the test once with each door."""
    chosen: Door = request.param
    return chosen


def program(path: Path, content: bytes, mode: int = 0o755) -> Path:
    """Make a file."""
    path.write_bytes(content)
    path.chmod(mode)
    return path


def op_of(backend: SpawnBackend, stage: str) -> str:
    """Return the ``op`` of a failure at a stage, where the backend knows the stage."""
    if backend is SpawnBackend.POSIX_SPAWN:
        return "posix_spawn"
    return f"{backend.value} child {stage}"


async def failure(options: SpawnOptions, door: Door = spawn) -> CoreError:
    """Return the error of a spawn that must fail, with all three streams at stake."""
    piped = attrs.evolve(options, stdin=b"x", capture_stdout=True, capture_stderr=True)
    with pytest.raises(CoreError) as caught:
        await door(piped)
    return caught.value


async def test_missing_program(backend: SpawnBackend, door: Door) -> None:
    """A missing file is a FileNotFoundError that names it, through each door."""
    error = await failure(SpawnOptions(("/nonexistent/prog",), backend=backend), door)
    assert isinstance(error, FileNotFoundError)
    assert error.errno == errno.ENOENT
    assert error.op == op_of(backend, "execve")
    assert error.filename == "/nonexistent/prog"
    assert os.strerror(errno.ENOENT) in str(error)
    assert error.op in str(error)
    assert "/nonexistent/prog" in str(error)


async def test_program_that_may_not_be_run(
    backend: SpawnBackend, tmp_path: Path, door: Door
) -> None:
    """A file without permission to run it is a PermissionError, through each door."""
    prog = program(tmp_path / "prog", b"#!/bin/sh\n", 0o644)
    error = await failure(SpawnOptions((prog,), backend=backend), door)
    assert isinstance(error, PermissionError)
    assert error.errno == errno.EACCES
    assert error.op == op_of(backend, "execve")
    assert error.filename == str(prog)


async def test_program_that_is_a_directory(backend: SpawnBackend, tmp_path: Path) -> None:
    """A directory is not a program: EACCES, as execve(2) has it."""
    error = await failure(SpawnOptions((tmp_path,), backend=backend))
    assert (error.errno, error.op) == (errno.EACCES, op_of(backend, "execve"))


async def test_program_of_no_known_format(backend: SpawnBackend, tmp_path: Path) -> None:
    """A file that is no program is ENOEXEC, and no shell is tried."""
    prog = program(tmp_path / "prog", b"touch touched\n")
    error = await failure(SpawnOptions((prog,), backend=backend))
    assert (error.errno, error.op) == (errno.ENOEXEC, op_of(backend, "execve"))
    assert not (tmp_path / "touched").exists()


async def test_program_that_is_being_written(backend: SpawnBackend, tmp_path: Path) -> None:
    """A file that is open for writing is ETXTBSY."""
    prog = program(tmp_path / "prog", TRUE)
    with prog.open("r+b"):
        error = await failure(SpawnOptions((prog,), backend=backend))
    assert (error.errno, error.op) == (errno.ETXTBSY, op_of(backend, "execve"))


async def test_arguments_that_are_too_long(backend: SpawnBackend) -> None:
    """An argument larger than the kernel takes is E2BIG, after everything else was done."""
    error = await failure(SpawnOptions(("/bin/true", "x" * (1 << 18)), backend=backend))
    assert (error.errno, error.op) == (errno.E2BIG, op_of(backend, "execve"))


async def test_name_that_is_too_long(backend: SpawnBackend) -> None:
    """A path longer than the kernel takes is ENAMETOOLONG."""
    error = await failure(SpawnOptions(("/" + "x" * 5000,), backend=backend))
    assert (error.errno, error.op) == (errno.ENAMETOOLONG, op_of(backend, "execve"))


async def test_missing_interpreter(backend: SpawnBackend, tmp_path: Path) -> None:
    """A script whose interpreter is missing is ENOENT; VFORK finds out that it is that."""
    prog = program(tmp_path / "prog", b"#! /nonexistent/interp -x\n")
    error = await failure(SpawnOptions((prog,), backend=backend))
    assert error.errno == errno.ENOENT
    if backend is SpawnBackend.VFORK:
        assert error.op == "vfork child interpreter"
        assert error.filename == "/nonexistent/interp"
    else:
        assert error.op == op_of(backend, "execve")
        assert error.filename == str(prog)


async def test_missing_directory(full_backend: SpawnBackend, tmp_path: Path, door: Door) -> None:
    """A missing ``cwd`` is told from a missing program, and named, through each door."""
    gone = tmp_path / "gone"
    error = await failure(SpawnOptions(("/bin/true",), backend=full_backend, cwd=gone), door)
    assert isinstance(error, FileNotFoundError)
    assert error.op == op_of(full_backend, "chdir")
    assert error.filename == str(gone)


async def test_missing_program_in_a_directory(full_backend: SpawnBackend, tmp_path: Path) -> None:
    """A program missing below ``cwd`` is told from a missing ``cwd``."""
    error = await failure(SpawnOptions(("./prog",), backend=full_backend, cwd=tmp_path))
    assert isinstance(error, FileNotFoundError)
    assert error.op == op_of(full_backend, "execve")
    assert error.filename == "./prog"


async def test_missing_interpreter_in_a_directory(tmp_path: Path) -> None:
    """The script that VFORK looks into is the one below ``cwd``."""
    program(tmp_path / "prog", b"#!/nonexistent/interp\n")
    error = await failure(SpawnOptions(("./prog",), backend=SpawnBackend.VFORK, cwd=tmp_path))
    assert (error.op, error.filename) == ("vfork child interpreter", "/nonexistent/interp")


async def test_missing_loader_of_a_binary(tmp_path: Path) -> None:
    """An ELF file whose loader is missing is a missing interpreter as well."""
    loader = re.search(rb"/lib[\w/.-]*/ld[\w.-]*so[\w.-]*", TRUE)
    if loader is None:  # pragma: no cover - a machine with a static /bin/true
        pytest.skip("/bin/true needs no loader")
    prog = program(tmp_path / "prog", TRUE.replace(loader[0], b"/x" + loader[0][2:], 1))
    error = await failure(SpawnOptions((prog,), backend=SpawnBackend.VFORK))
    assert (error.errno, error.op) == (errno.ENOENT, "vfork child interpreter")
    assert error.filename == str(prog)


async def test_directory_that_is_a_file(full_backend: SpawnBackend, tmp_path: Path) -> None:
    """A ``cwd`` that is no directory is a NotADirectoryError."""
    file = program(tmp_path / "file", b"")
    error = await failure(SpawnOptions(("/bin/true",), backend=full_backend, cwd=file))
    assert isinstance(error, NotADirectoryError)
    assert (error.op, error.filename) == (op_of(full_backend, "chdir"), str(file))


async def test_program_below_a_file(full_backend: SpawnBackend, tmp_path: Path) -> None:
    """ENOTDIR of the program is told from that of ``cwd``."""
    file = program(tmp_path / "file", b"")
    error = await failure(SpawnOptions((file / "prog",), backend=full_backend, cwd=tmp_path))
    assert isinstance(error, NotADirectoryError)
    assert error.op == op_of(full_backend, "execve")


async def test_name_not_on_the_path(backend: SpawnBackend, door: Door) -> None:
    """A name that the lookup does not find fails before anything is made, through each door."""
    error = await failure(SpawnOptions(("no-such-program-anywhere",), backend=backend), door)
    assert isinstance(error, FileNotFoundError)
    assert error.op == "exec path lookup"


async def test_text_of_an_error_has_no_other_argument(backend: SpawnBackend) -> None:
    """Neither the error nor its traceback's last line shows arguments or environment."""
    options = SpawnOptions(
        ("/nonexistent/prog", "--token=hunter2"), backend=backend, env={"TOKEN": "hunter3"}
    )
    error = await failure(options)
    text = "".join(traceback.format_exception_only(error)) + repr(error)
    assert "hunter" not in text


async def test_a_failure_does_not_hinder_the_next(backend: SpawnBackend) -> None:
    """After many failures in a row, and at once, a spawn still works."""
    missing = SpawnOptions(("/nonexistent/prog",), backend=backend, capture_stdout=True)

    async def fail() -> None:
        with pytest.raises(FileNotFoundError):
            await spawn(missing)

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(fail)
    output = await spawn(SpawnOptions(("/bin/true",), backend=backend))
    assert output.returncode == os.EX_OK
