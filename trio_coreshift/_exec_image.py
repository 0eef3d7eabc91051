"""What execve(2) is given, checked and encoded once for all spawns of the same options."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeVar, cast

import attrs

from ._errors import invalid

StrOrBytesPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]
EnvMapping = Mapping[str, StrOrBytesPath] | Mapping[bytes, StrOrBytesPath]
# What os.fsencode uses; both are fixed when the interpreter starts.
_ENCODING: Final = sys.getfilesystemencoding()
_ERRORS: Final = sys.getfilesystemencodeerrors()
_Arg_co = TypeVar("_Arg_co", covariant=True)


class Arguments(Protocol[_Arg_co]):
    """A sequence that is not itself a string.

    To a type checker a str is a ``Sequence[str]``, too. What tells it apart is that only strings
    may be asked for in it, where a list or a tuple can be asked for any object.
    """

    def __contains__(self, value: object, /) -> bool:
        """Whether ``value`` is one of them."""
        ...  # pragma: no cover - a protocol has no body to run

    def __getitem__(self, index: int, /) -> _Arg_co:
        """The one at ``index``."""
        ...  # pragma: no cover - a protocol has no body to run

    def __iter__(self) -> Iterator[_Arg_co]:
        """All of them, in order."""
        ...  # pragma: no cover - a protocol has no body to run

    def __len__(self) -> int:
        """How many they are."""
        ...  # pragma: no cover - a protocol has no body to run


@attrs.frozen(eq=False)
class Environment:
    """A whole environment.

    An object and no mere dict, so that it can be weakly referenced: what a backend makes of it
    is kept as long as it is, and no longer.

    Attributes:
        variables: Its variables, never changed.
    """

    variables: dict[bytes, bytes]


class ExecImage(NamedTuple):
    """Arguments, environment and working directory as the kernel takes them.

    Attributes:
        argv: The argument vector; never empty.
        env: The environment, or None for the environment of this process at spawn time.
        cwd: The directory to change to, or None.
    """

    argv: tuple[bytes, ...]
    env: Environment | None
    cwd: bytes | None


def _checked(value: StrOrBytesPath, what: str) -> str | bytes:
    try:
        plain = value if isinstance(value, (str, bytes)) else os.fspath(value)
    except TypeError as exc:
        msg = f"{what} must be str, bytes or a path, not {type(value).__name__}"
        raise TypeError(msg) from exc
    if not plain.isascii():
        try:
            _encode(plain)
        except UnicodeEncodeError as exc:
            raise invalid(f"exec {what} not encodable") from exc
    if ("\0" in plain) if isinstance(plain, str) else (b"\0" in plain):
        raise invalid(f"exec {what} contains nul")
    return plain


def _encode(value: str | bytes) -> bytes:
    # Of exactly that type: a subclass may compare and hash as it likes.
    return str.encode(value, _ENCODING, _ERRORS) if isinstance(value, str) else bytes(value)


def checked_argv(argv: Arguments[StrOrBytesPath]) -> tuple[str | bytes, ...]:
    """Refuse a bare string, an empty vector, an empty program and what exec cannot take."""
    given: object = argv
    if not isinstance(given, (list, tuple)) and isinstance(
        given, (str, bytes, bytearray, memoryview, os.PathLike)
    ):
        msg = f"argv must be a sequence of arguments, not one {type(given).__name__}"
        raise TypeError(msg)
    rest = iter(argv)
    program = _checked(next(rest, ""), "argv")
    if not program:
        raise invalid("exec argv empty")
    return (program, *[_checked(arg, "argv") for arg in rest])


def checked_env(env: EnvMapping | None) -> dict[str | bytes, str | bytes] | None:
    """Refuse keys and values that an environment cannot hold; keep a copy of the rest."""
    if env is None:
        return None
    given: object = env
    if not isinstance(given, Mapping):
        msg = f"env must be a mapping or None, not {type(given).__name__}"
        raise TypeError(msg)
    result: dict[str | bytes, str | bytes] = {}
    items = cast("Mapping[object, StrOrBytesPath]", given).items()
    for key, value in items:
        if not isinstance(key, (str, bytes)):
            msg = f"env keys must be str or bytes, not {type(key).__name__}"
            raise TypeError(msg)
        name = _checked(key, "env")
        if not name or (("=" in name) if isinstance(name, str) else (b"=" in name)):
            raise invalid("exec env key invalid")
        result[name] = _checked(value, "env")
    return result


def checked_cwd(cwd: StrOrBytesPath | None) -> str | bytes | None:
    """Refuse an empty directory name and one with NUL."""
    if cwd is None:
        return None
    result = _checked(cwd, "cwd")
    if not result:
        raise invalid("exec cwd empty")
    return result


def exec_image(
    argv: Sequence[str | bytes],
    env: Mapping[str | bytes, str | bytes] | None,
    cwd: str | bytes | None,
) -> ExecImage:
    """Encode what the checks above have let through."""
    environment = None
    if env is not None:
        # A key given both as str and as bytes is one variable: the later one wins.
        environment = Environment({_encode(key): _encode(value) for key, value in env.items()})
    return ExecImage(
        argv=tuple([_encode(arg) for arg in argv]),
        env=environment,
        cwd=None if cwd is None else _encode(cwd),
    )
