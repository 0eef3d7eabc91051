"""What execve(2) is given, checked and encoded once for all spawns of the same options."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TypeVar, cast

import attrs

from ._errors import invalid

StrOrBytesPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]
EnvMapping = Mapping[str, StrOrBytesPath] | Mapping[bytes, StrOrBytesPath]
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


@attrs.frozen
class ExecImage:
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


def _encode(value: StrOrBytesPath, what: str) -> bytes:
    try:
        encoded = os.fsencode(value)
    except TypeError as exc:
        msg = f"{what} must be str, bytes or a path, not {type(value).__name__}"
        raise TypeError(msg) from exc
    except UnicodeEncodeError as exc:
        raise invalid(f"exec {what} not encodable") from exc
    if b"\0" in encoded:
        raise invalid(f"exec {what} contains nul")
    return encoded


def checked_argv(argv: Arguments[StrOrBytesPath]) -> tuple[str | bytes, ...]:
    """Refuse a bare string, an empty vector, an empty program and what exec cannot take."""
    given: object = argv
    if isinstance(given, (str, bytes, bytearray, memoryview, os.PathLike)):
        msg = f"argv must be a sequence of arguments, not one {type(given).__name__}"
        raise TypeError(msg)
    result = tuple(argv)
    if not result or not _encode(result[0], "argv"):
        raise invalid("exec argv empty")
    for arg in result:
        _encode(arg, "argv")
    return tuple(os.fspath(arg) for arg in result)


def checked_env(env: EnvMapping | None) -> dict[str | bytes, StrOrBytesPath] | None:
    """Refuse keys and values that an environment cannot hold; keep a copy of the rest."""
    if env is None:
        return None
    given: object = env
    if not isinstance(given, Mapping):
        msg = f"env must be a mapping or None, not {type(given).__name__}"
        raise TypeError(msg)
    result: dict[str | bytes, StrOrBytesPath] = {}
    items = cast("Mapping[object, StrOrBytesPath]", given).items()
    for key, value in items:
        if not isinstance(key, (str, bytes)):
            msg = f"env keys must be str or bytes, not {type(key).__name__}"
            raise TypeError(msg)
        encoded = _encode(key, "env")
        if not encoded or b"=" in encoded:
            raise invalid("exec env key invalid")
        _encode(value, "env")
        result[key] = value
    return result


def checked_cwd(cwd: StrOrBytesPath | None) -> str | bytes | None:
    """Refuse an empty directory name and one with NUL."""
    if cwd is None:
        return None
    if not _encode(cwd, "cwd"):
        raise invalid("exec cwd empty")
    return os.fspath(cwd)


def exec_image(
    argv: Sequence[str | bytes],
    env: Mapping[str | bytes, StrOrBytesPath] | None,
    cwd: str | bytes | None,
) -> ExecImage:
    """Encode what the checks above have let through."""
    entries: dict[bytes, bytes] | None = None
    if env is not None:
        # A key given both as str and as bytes is one variable: the later one wins.
        entries = {os.fsencode(key): os.fsencode(value) for key, value in env.items()}
    return ExecImage(
        argv=tuple(os.fsencode(arg) for arg in argv),
        env=None if entries is None else tuple(b"%b=%b" % item for item in entries.items()),
        search_path=None if entries is None else entries.get(b"PATH"),
        cwd=None if cwd is None else os.fsencode(cwd),
    )
