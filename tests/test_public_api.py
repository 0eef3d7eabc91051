"""What the package shows to the world: names, docstrings, defaults, operations, version."""

from __future__ import annotations

import enum
import importlib.metadata
import inspect
import re
import tomllib
import types
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import pytest

import trio_coreshift
from trio_coreshift import (
    CancelPolicy,
    CloexecOnly,
    OverflowPolicy,
    ProcessGroup,
    SpawnBackend,
    SpawnOptions,
)

from .support.op_texts import OpTexts, UnknownOpError

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE: Final = Path(trio_coreshift.__file__).parent
PROJECT: Final = Path(__file__).parent.parent / "pyproject.toml"
REFERENCE: Final = Path(__file__).parent.parent / "docs" / "reference.rst"

NAMES: Final = {
    "Allowlist",
    "CancelPolicy",
    "CloexecOnly",
    "CloseFrom3",
    "CoreError",
    "ExitStatus",
    "ExitStatusError",
    "Exited",
    "Output",
    "OutputLimitError",
    "OverflowPolicy",
    "Process",
    "ProcessAbandonedError",
    "ProcessGroup",
    "ResourceUsage",
    "RunningProcess",
    "Shutdown",
    "ShutdownReason",
    "SignalSent",
    "Signaled",
    "SpawnBackend",
    "SpawnFdPolicy",
    "SpawnOptions",
    "Unknown",
    "spawn",
    "spawn_start",
}
UNIONS: Final = {"ExitStatus", "SpawnFdPolicy"}

DEFAULTS: Final[dict[str, object]] = {
    "argv": attrs.NOTHING,
    "backend": attrs.NOTHING,
    "env": None,
    "cwd": None,
    "stdin": b"",
    "stdout": None,
    "stderr": None,
    "capture_stdout": False,
    "capture_stderr": False,
    "wait": True,
    "pgroup": ProcessGroup(leader=None, isolated=False, sweep=True),
    "max_output": 1024 * 1024,
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


def public(name: str) -> object:
    """A public object by its name."""
    value: object = getattr(trio_coreshift, name)
    return value


def members() -> Iterator[tuple[str, object]]:
    """Every public class and function, and every public method and property of the classes."""
    for name in sorted(NAMES - UNIONS):
        value = public(name)
        yield name, value
        if not isinstance(value, type):
            continue
        for member_name, member in vars(value).items():
            kinds = (types.FunctionType, property, classmethod, staticmethod)
            if not member_name.startswith("_") and isinstance(member, kinds):
                yield f"{name}.{member_name}", member


def test_the_public_names_are_those_of_the_contract() -> None:
    """The root shows the names of the contract and nothing else, modules apart."""
    shown = {
        name
        for name, value in vars(trio_coreshift).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }

    assert shown == NAMES


def test_public_modules_do_not_exist() -> None:
    """Every module of the package is private, so that the root is the one place to import from."""
    modules = {path.stem for path in PACKAGE.glob("*.py")}

    assert {name for name in modules if not name.startswith("_")} == set()


@pytest.mark.parametrize("name", sorted(NAMES - UNIONS))
def test_public_objects_say_that_they_live_at_the_root(name: str) -> None:
    """Tracebacks, pickles and documentation show the public home of a name."""
    value = public(name)

    assert isinstance(value, (type, types.FunctionType))
    assert value.__module__ == "trio_coreshift"
    assert value.__qualname__ == name


@pytest.mark.parametrize(("name", "value"), list(members()), ids=[name for name, _ in members()])
def test_everything_public_has_a_docstring(name: str, value: object) -> None:
    """Every public class, method, function and property says what it is, in its own words."""
    text = getattr(value, "__doc__", None)

    assert text, name
    first, *rest = inspect.cleandoc(text).splitlines()
    assert first.endswith((".", "?")), f"{name}: the first line is a sentence"
    assert not rest or not rest[0], f"{name}: a blank line follows it"


@pytest.mark.parametrize(
    "name", sorted(name for name in NAMES if isinstance(getattr(trio_coreshift, name), type))
)
def test_fields_are_documented(name: str) -> None:
    """Every field of a public attrs class stands under Attributes or Args of its docstring."""
    value = public(name)
    if not attrs.has(value) or issubclass(value, enum.Enum):  # type: ignore[arg-type]
        return

    text = value.__doc__ or ""
    missing = [
        field.name
        for field in attrs.fields(value)
        if not re.search(rf"^\s+{field.name}: ", text, re.MULTILINE)
    ]

    assert missing == []


def test_asynchronous_functions_say_what_cancellation_does() -> None:
    """A public async function has a Cancellation section: the child's fate is part of the API."""
    silent = [
        name
        for name, value in members()
        if inspect.iscoroutinefunction(value) and "Cancellation:" not in (value.__doc__ or "")
    ]

    assert silent == []


def test_values_are_frozen_and_slotted() -> None:
    """A value cannot be changed after it was made, nor given attributes it does not have."""
    values = [public(name) for name in NAMES - UNIONS]
    for value in values:
        if isinstance(value, type) and attrs.has(value):
            assert "__dict__" not in {key for kind in value.__mro__ for key in vars(kind)}, value
            assert value.__setattr__ is not object.__setattr__, value


def test_options_have_the_fields_and_defaults_of_the_contract() -> None:
    """SpawnOptions takes exactly the fields of the contract, with its defaults."""
    fields = [field for field in attrs.fields(SpawnOptions) if field.init]

    assert {field.name: field.default for field in fields} == DEFAULTS
    assert [field.name for field in fields if not field.kw_only] == ["argv"]


def test_backends_and_policies_have_their_members() -> None:
    """The choices without data are the contract's, no more and no fewer."""
    assert [backend.name for backend in SpawnBackend] == ["FORK", "POSIX_SPAWN", "VFORK"]
    assert [policy.name for policy in CancelPolicy] == ["NONE", "GRACEFUL", "KILL"]
    assert [policy.name for policy in OverflowPolicy] == ["DRAIN", "STOP", "TRUNCATE"]


def test_shutdown_reasons_are_those_of_the_contract() -> None:
    """Every reason a shutdown can have is one of the contract's seven."""
    assert {reason.name for reason in trio_coreshift.ShutdownReason} == {
        "CANCELLED",
        "ERROR",
        "TIMEOUT",
        "EARLY_EXIT",
        "OVERFLOW",
        "STOP",
        "SWEEP",
    }


def test_the_package_is_typed() -> None:
    """The marker for type checkers is shipped with the package."""
    assert resources.files(trio_coreshift).joinpath("py.typed").is_file()


def test_the_version_is_told_once() -> None:
    """What is installed has the version of the project file; the package tells no second one."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    try:
        installed = importlib.metadata.version(project["name"])
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("run from a checkout that is not installed")

    assert installed == project["version"]
    assert not hasattr(trio_coreshift, "__version__")


def documented_ops() -> list[str]:
    """The op texts in the first column of the documentation's table."""
    text = REFERENCE.read_text(encoding="utf-8")
    table = text[text.index(".. _ops:") :]
    cells = re.findall(r"^   \* - (.*(?:\n {7}\S.*)*)", table, re.MULTILINE)
    return [op for cell in cells for op in re.findall(r"``(.+?)``", cell)]


def test_every_op_text_is_documented_once() -> None:
    """The op texts are API: the table in the reference is what the source can raise, exactly."""
    documented = documented_ops()

    assert len(documented) == len(set(documented))
    assert set(documented) == OpTexts(PACKAGE).collect()


def test_an_op_text_of_unknown_making_is_not_overlooked(tmp_path: Path) -> None:
    """The search for op texts fails on an expression that it cannot follow."""
    tmp_path.joinpath("module.py").write_text("raise CoreError(code, make_op())\n")

    with pytest.raises(UnknownOpError):
        OpTexts(tmp_path).collect()


def test_op_texts_are_followed_to_their_literals(tmp_path: Path) -> None:
    """The search sees through constants, parameters, f-strings and loops."""
    tmp_path.joinpath("module.py").write_text(
        'OP = "constant"\n'
        "def check(name, op):\n"
        '    raise invalid(f"{op} {name} bad")\n'
        'check(1, "x")\n'
        'for name, _ in (("a", 1), ("b", 2)):\n'
        "    raise invalid(name)\n"
        "raise CoreError(5, OP)\n"
        'check("y", op="z")\n',
    )

    assert OpTexts(tmp_path).collect() == {"constant", "x y bad", "z y bad", "a", "b"}
