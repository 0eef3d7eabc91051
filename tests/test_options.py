"""`SpawnOptions`: defaults, what is taken, copies, variants, and what its repr does not tell."""

import functools
import inspect
import math
import os
import pickle
import subprocess
from pathlib import Path
from typing import Any

import attrs
import pytest

from trio_coreshift import (
    Allowlist,
    CancelPolicy,
    CloexecOnly,
    CloseFrom3,
    Exited,
    OverflowPolicy,
    ProcessGroup,
    RunningProcess,
    SpawnBackend,
    SpawnOptions,
    spawn,
)

PIPE, DEVNULL, STDOUT = subprocess.PIPE, subprocess.DEVNULL, subprocess.STDOUT
MIB = 1024 * 1024


async def sink(_chunk: bytes) -> None:
    """Take a chunk."""


async def is_ready(_running: RunningProcess) -> None:
    """Find it ready."""


def matches(_chunk: bytes) -> bool:
    """Find nothing."""
    return False


def options_of(**more: Any) -> SpawnOptions:  # noqa: ANN401 - any option
    """Return options for a program that there is."""
    return SpawnOptions(("/bin/true",), backend=SpawnBackend.VFORK, **more)


def test_the_table_of_options_is_complete() -> None:
    """Every option of the contract is there with its default, and no other."""
    options = options_of()
    given = {field.name: getattr(options, field.name) for field in attrs.fields(SpawnOptions)}
    del given["image"]
    assert given == {
        "argv": ("/bin/true",),
        "backend": SpawnBackend.VFORK,
        "env": None,
        "cwd": None,
        "stdin": b"",
        "stdout": None,
        "stderr": None,
        "capture_stdout": False,
        "capture_stderr": False,
        "wait": True,
        "pgroup": ProcessGroup(),
        "max_output": MIB,
        "overflow": OverflowPolicy.DRAIN,
        "timeout": None,
        "cancel": CancelPolicy.KILL,
        "kill_grace": 2.0,
        "drain_grace": None,
        "abandon_after": None,
        "fd_policy": CloexecOnly(),
        "pass_fds": (),
        "early_exit": None,
        "stdout_sink": None,
        "stderr_sink": None,
        "ready": None,
    }


def test_all_but_argv_is_keyword_only() -> None:
    """Only ``argv`` can be given by position, and the backend must be given."""
    parameters = inspect.signature(SpawnOptions).parameters
    kinds = {name: parameter.kind for name, parameter in parameters.items()}
    assert kinds.pop("argv") is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert set(kinds.values()) == {inspect.Parameter.KEYWORD_ONLY}
    with pytest.raises(TypeError, match="backend"):
        SpawnOptions(("/bin/true",))  # type: ignore[call-arg]  # wrong on purpose


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("env", {}, {}),
        ("env", {"A": "1", "B": b"2", "C": Path("/c")}, {"A": "1", "B": b"2", "C": "/c"}),
        ("env", {b"A": b"\xff"}, {b"A": b"\xff"}),
        ("cwd", Path("/tmp"), "/tmp"),  # noqa: S108 - a directory that there is
        ("cwd", b"/tmp", b"/tmp"),
        ("stdin", b"x", b"x"),
        ("stdin", bytearray(b"x"), b"x"),
        ("stdin", memoryview(b"xyz")[1:], b"yz"),
        ("stdin", None, None),
        ("stdin", PIPE, PIPE),
        ("stdin", DEVNULL, DEVNULL),
        ("stdin", 0, 0),
        ("stdout", PIPE, PIPE),
        ("stdout", DEVNULL, DEVNULL),
        ("stdout", 7, 7),
        ("stderr", PIPE, PIPE),
        ("stderr", DEVNULL, DEVNULL),
        ("stderr", STDOUT, STDOUT),
        ("stderr", 7, 7),
        ("capture_stdout", True, True),
        ("capture_stderr", True, True),
        ("wait", False, False),
        ("pgroup", ProcessGroup(leader=0), ProcessGroup(leader=0)),
        ("max_output", 0, 0),
        ("max_output", 1 << 40, 1 << 40),
        ("overflow", OverflowPolicy.TRUNCATE, OverflowPolicy.TRUNCATE),
        ("timeout", 0, 0.0),
        ("timeout", 1, 1.0),
        ("timeout", math.inf, math.inf),
        ("timeout", 10**400, math.inf),
        ("cancel", CancelPolicy.NONE, CancelPolicy.NONE),
        ("kill_grace", 0, 0.0),
        ("kill_grace", math.inf, math.inf),
        ("drain_grace", 0, 0.0),
        ("drain_grace", 0.5, 0.5),
        ("abandon_after", 0, 0.0),
        ("abandon_after", math.inf, math.inf),
        ("fd_policy", CloseFrom3(), CloseFrom3()),
        ("fd_policy", Allowlist((3,)), Allowlist((3,))),
        ("pass_fds", [9, 3], (9, 3)),
        ("pass_fds", {5}, (5,)),
        ("stdout_sink", sink, sink),
        ("stderr_sink", sink, sink),
        ("ready", is_ready, is_ready),
    ],
)
def test_what_an_option_takes(name: str, value: object, kept: object) -> None:
    """Each option takes its kinds of values and keeps them in one form."""
    found = getattr(options_of(**{name: value}), name)
    assert found == kept
    assert type(found) is type(kept)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("early_exit", b"x", b"x"),
        ("early_exit", bytearray(b"x"), b"x"),
        ("early_exit", matches, matches),
        ("ready", b"up", b"up"),
        ("ready", memoryview(b"up"), b"up"),
        ("stderr", STDOUT, STDOUT),
    ],
)
def test_what_an_option_takes_beside_a_captured_stream(
    name: str, value: object, kept: object
) -> None:
    """Options that look at stdout take their kinds of values."""
    assert getattr(options_of(capture_stdout=True, **{name: value}), name) == kept


def test_options_that_look_at_stdout_go_with_a_sink() -> None:
    """A sink makes a stream readable for a pattern just as capturing does."""
    assert options_of(stdout_sink=sink, early_exit=b"x", ready=b"y").early_exit == b"x"
    assert options_of(stderr_sink=sink, ready=b"y").ready == b"y"
    assert options_of(capture_stdout=True, stdout_sink=sink).capture_stdout


def test_a_file_may_be_a_stream(tmp_path: Path) -> None:
    """An object with ``fileno()`` is kept as it is, and asked when it is spawned."""
    with (tmp_path / "file").open("wb") as file:
        options = options_of(stdin=file, stdout=file, stderr=file)
        assert options.stdin is options.stdout is options.stderr is file


def test_argv_mixes_str_bytes_and_paths() -> None:
    """Arguments are kept as str or bytes, and encoded as the file system has it."""
    argv = ("/bin/true", b"\xff", Path("/p"), "ä", "\udcff", "")
    options = SpawnOptions(argv, backend=SpawnBackend.FORK)
    assert options.argv == ("/bin/true", b"\xff", "/p", "ä", "\udcff", "")
    assert options.image.argv == (b"/bin/true", b"\xff", b"/p", "ä".encode(), b"\xff", b"")


class Odd(bytes):
    """Bytes with an equality of their own, and therefore without a hash."""

    def __eq__(self, other: object) -> bool:
        """Tell a lie."""
        return True

    __hash__ = None  # type: ignore[assignment]  # as Python does it


def test_what_exec_gets_is_plain_bytes() -> None:
    """Subclasses of str and bytes may do what they like with their methods."""
    options = SpawnOptions(
        (Odd(b"/bin/true"), Odd(b"x")), backend=SpawnBackend.VFORK, env={"A": Odd(b"y")}
    )
    assert options.image.env is not None
    values = options.image.env.variables.values()
    assert {type(arg) for arg in (*options.image.argv, *values)} == {bytes}
    assert b"x" in set(options.image.argv)


def test_a_key_given_twice_is_one_variable() -> None:
    """A key given as str and as bytes is one variable, and the later one wins."""
    options = options_of(env={"A": "1", b"A": b"2"})
    assert options.image.env is not None
    assert options.image.env.variables == {b"A": b"2"}


def test_buffers_are_copied() -> None:
    """What was handed over may be changed afterwards without any effect."""
    data, argv, env, fds = bytearray(b"old"), ["/bin/true", "old"], {"A": "old"}, [3]
    options = SpawnOptions(argv, backend=SpawnBackend.VFORK, env=env, stdin=data, pass_fds=fds)
    data[:], argv[1], env["A"], fds[0] = b"new", "new", "new", 4
    assert (options.stdin, options.argv[1], options.env, options.pass_fds) == (
        b"old",
        "old",
        {"A": "old"},
        (3,),
    )


def test_options_are_frozen() -> None:
    """No option can be set afterwards, and none can be added."""
    options = options_of()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        options.timeout = 3.0  # type: ignore[misc]  # frozen is the point
    assert not hasattr(options, "__dict__")


def test_evolve_makes_a_checked_variant() -> None:
    """A variant has all options of the original but those named, and is checked like any other."""
    options = options_of(timeout=3, env={"A": "1"}, pass_fds=(4,))
    variant = attrs.evolve(options, argv=("/bin/echo", "x"), timeout=4)
    assert variant.argv == ("/bin/echo", "x")
    assert variant.image.argv == (b"/bin/echo", b"x")
    assert (variant.timeout, variant.env, variant.pass_fds) == (4.0, {"A": "1"}, (4,))
    assert options.timeout == 3.0
    assert attrs.evolve(options) == options
    with pytest.raises(ValueError, match="timeout invalid"):
        attrs.evolve(options, timeout=-1)


def test_equal_options_are_equal() -> None:
    """Options compare by content, also through pickle."""
    assert options_of(timeout=3) == options_of(timeout=3.0)
    assert options_of(timeout=3) != options_of(timeout=4)
    options = options_of(env={"A": "1"}, stdin=b"x", pgroup=ProcessGroup(leader=0))
    assert pickle.loads(pickle.dumps(options)) == options


def test_the_repr_shows_no_secret() -> None:
    """The repr has the program, and neither its arguments nor its environment nor its input."""
    options = SpawnOptions(
        ("/bin/prog", "--token=hunter1"),
        backend=SpawnBackend.VFORK,
        env={"TOKEN": "hunter2"},
        stdin=b"hunter3",
        cwd="/hunter4",
    )
    for text in (repr(options), str(options), f"{options}"):
        assert "/bin/prog" in text
        assert "hunter" not in text
        assert "TOKEN" not in text


def test_the_program_is_argv_0_as_text() -> None:
    """The program's name is text, whatever it was given as."""
    assert SpawnOptions((b"\xffprog", "x"), backend=SpawnBackend.FORK).program == "\ufffdprog"
    assert SpawnOptions((Path("/p"),), backend=SpawnBackend.FORK).program == "/p"


async def test_options_can_be_used_again(backend: SpawnBackend) -> None:
    """The same options give the same result any number of times, also at once."""
    options = SpawnOptions(
        ("/bin/cat",), backend=backend, stdin=b"again" * 20_000, capture_stdout=True
    )
    for _ in range(3):
        output = await spawn(options)
        assert (output.status, output.stdout) == (Exited(0), b"again" * 20_000)


def test_a_callable_object_is_a_predicate() -> None:
    """Whatever can be called may be a predicate: an object, a method, a partial."""

    class Found:
        def __call__(self, chunk: bytes) -> bool:
            return b"x" in chunk

    for rule in (Found(), Found().__call__, functools.partial(matches)):
        assert options_of(capture_stdout=True, early_exit=rule).early_exit == rule


def test_building_options_touches_nothing(tmp_path: Path) -> None:
    """Building options neither looks a program up nor opens anything: both may come later."""
    options = SpawnOptions(
        (tmp_path / "later",), backend=SpawnBackend.FORK, cwd=tmp_path / "later", pass_fds=[900]
    )
    assert options.argv == (os.fspath(tmp_path / "later"),)
