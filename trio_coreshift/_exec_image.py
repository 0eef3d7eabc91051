"""What execve(2) is given, checked and encoded once for all spawns of the same options."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeVar, cast

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


class ExecImage(NamedTuple):
    """Arguments, environment and working directory as the kernel takes them.

    Attributes:
        argv: The argument vector; never empty.
        env: ``KEY=VALUE`` entries, or None for the environment of this process at spawn time.
        search_path: The PATH of ``env``; None where it has none.
        cwd: The directory to change to, or None.
    """

    argv: tuple[bytes, ...]
    env: tuple[bytes, ...] | None
    search_path: bytes | None
    cwd: bytes | None


def _plain(value: StrOrBytesPath, what: str) -> str | bytes:
    if isinstance(value, (str, bytes)):
        return value
    try:
        return os.fspath(value)
    except TypeError as exc:
        msg = f"{what} must be str, bytes or a path, not {type(value).__name__}"
        raise TypeError(msg) from exc


def _encode(value: str | bytes, what: str) -> bytes:
    if isinstance(value, bytes):
        encoded = value
    else:
        try:
            encoded = value.encode(_ENCODING, _ERRORS)
        except UnicodeEncodeError as exc:
            raise invalid(f"exec {what} not encodable") from exc
    if b"\0" in encoded:
        raise invalid(f"exec {what} contains nul")
    return encoded


def checked_argv(argv: Arguments[StrOrBytesPath]) -> tuple[str | bytes, ...]:
    """Refuse a bare string, what is no argument, an empty vector and an empty program."""
    given: object = argv
    if not isinstance(given, (list, tuple)) and isinstance(
        given, (str, bytes, bytearray, memoryview, os.PathLike)
    ):
        msg = f"argv must be a sequence of arguments, not one {type(given).__name__}"
        raise TypeError(msg)
    result = tuple([_plain(arg, "argv") for arg in argv])
    if not result or not result[0]:
        raise invalid("exec argv empty")
    return result


def checked_env(env: EnvMapping | None) -> dict[str | bytes, str | bytes] | None:
    """Refuse what is no environment; keep a copy of the rest."""
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
        if not key or ("=" in key if isinstance(key, str) else b"=" in key):
            raise invalid("exec env key invalid")
        result[key] = _plain(value, "env")
    return result


def checked_cwd(cwd: StrOrBytesPath | None) -> str | bytes | None:
    """Refuse an empty directory name."""
    if cwd is None:
        return None
    result = _plain(cwd, "cwd")
    if not result:
        raise invalid("exec cwd empty")
    return result


def exec_image(
    argv: Sequence[str | bytes],
    env: Mapping[str | bytes, str | bytes] | None,
    cwd: str | bytes | None,
) -> ExecImage:
    """Encode what the checks above have let through; refuse what holds NUL or has no encoding."""
    entries: dict[bytes, bytes] | None = None
    if env is not None:
        # A key given both as str and as bytes is one variable: the later one wins.
        entries = {_encode(key, "env"): _encode(value, "env") for key, value in env.items()}
    return ExecImage(
        argv=tuple([_encode(arg, "argv") for arg in argv]),
        env=None if entries is None else tuple([b"%b=%b" % item for item in entries.items()]),
        search_path=None if entries is None else entries.get(b"PATH"),
        cwd=None if cwd is None else _encode(cwd, "cwd"),
    )
