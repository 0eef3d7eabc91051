"""The C library's ``posix_spawn`` and its extensions: the only ctypes in the tree.

The prototypes are POSIX's; the ``_np`` calls came with glibc 2.29 (addchdir) and 2.34
(addclosefrom) and musl 1.1.24 (addchdir). The flag values are those of both libraries.

SAFETY, for every call here: the library is loaded as `ctypes.PyDLL`, which keeps the GIL. So no
other Python thread can change the environment (putenv reallocates it) or fork while libc reads our
memory. Every pointer we pass is to memory that a Python object on the caller's frame owns.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from trio_coreshift._errors import CoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SETPGROUP: Final = 0x02
SETSIGDEF: Final = 0x04
SETSIGMASK: Final = 0x08
SETSID: Final = 0x80

# glibc on x86-64 needs 336 bytes for the attributes, 80 for the actions and 128 for a signal set;
# the structs are opaque and may grow, so each gets several times that.
_ATTRIBUTES: Final = ctypes.c_char * 2048
_ACTIONS: Final = ctypes.c_char * 1024
_SIGNALS: Final = ctypes.c_char * 1024

Vector: TypeAlias = "ctypes.Array[Any]"

_INT: Final = ctypes.c_int
_PTR: Final = ctypes.c_void_p
_STR: Final = ctypes.c_char_p

_PROTOTYPES: Final[dict[str, tuple[Any, ...]]] = {
    "posix_spawn": (_PTR, _STR, _PTR, _PTR, _PTR, _PTR),
    "posix_spawnattr_init": (_PTR,),
    "posix_spawnattr_setflags": (_PTR, ctypes.c_short),
    "posix_spawnattr_setpgroup": (_PTR, _INT),
    "posix_spawnattr_setsigmask": (_PTR, _PTR),
    "posix_spawnattr_setsigdefault": (_PTR, _PTR),
    "posix_spawn_file_actions_init": (_PTR,),
    "posix_spawn_file_actions_destroy": (_PTR,),
    "posix_spawn_file_actions_adddup2": (_PTR, _INT, _INT),
    "posix_spawn_file_actions_addclose": (_PTR, _INT),
    "posix_spawn_file_actions_addopen": (_PTR, _INT, _STR, _INT, _INT),
    "posix_spawn_file_actions_addchdir_np": (_PTR, _STR),
    "posix_spawn_file_actions_addclosefrom_np": (_PTR, _INT),
    "sigemptyset": (_PTR,),
    "sigaddset": (_PTR, _INT),
}


@functools.cache
def _library() -> ctypes.PyDLL:
    return ctypes.PyDLL(None)


@functools.cache
def _function(name: str) -> Callable[..., int]:
    try:
        function = getattr(_library(), name)
    except AttributeError:
        # This libc lacks it, so an option that needs it cannot be honoured.
        raise CoreError(errno.ENOSYS, f"vfork {name}") from None
    function.argtypes = _PROTOTYPES[name]
    function.restype = ctypes.c_int
    return cast("Callable[..., int]", function)


def _call(name: str, *args: object) -> None:
    # These return the error number; errno is not set.
    code = _function(name)(*args)
    if code:
        raise CoreError(code, f"vfork {name}")


@functools.lru_cache(maxsize=32)
def attributes(flags: int, pgid: int, default_signals: tuple[int, ...]) -> ctypes.Array[Any]:
    """Make the attributes of a spawn: an empty signal mask, and ``default_signals`` reset.

    They are only ever read afterwards, so one object serves every spawn of the same kind.
    """
    attr = _ATTRIBUTES()
    mask = _SIGNALS()
    defaults = _SIGNALS()
    _call("posix_spawnattr_init", attr)
    _call("posix_spawnattr_setflags", attr, flags | SETSIGMASK | SETSIGDEF)
    if flags & SETPGROUP:
        _call("posix_spawnattr_setpgroup", attr, pgid)
    for signals in (mask, defaults):
        # sigemptyset and sigaddset return -1 and not an error number, which _call reports alike.
        _call("sigemptyset", signals)
    for number in default_signals:
        _call("sigaddset", defaults, number)
    _call("posix_spawnattr_setsigmask", attr, mask)
    _call("posix_spawnattr_setsigdefault", attr, defaults)
    return attr


class FileActions:
    """What the child does with its descriptors, in the order of the calls."""

    __slots__ = ("_actions",)

    def __init__(self) -> None:
        self._actions = _ACTIONS()
        _call("posix_spawn_file_actions_init", self._actions)

    def __del__(self) -> None:
        """Give back the memory that libc has put into it."""
        with contextlib.suppress(AttributeError, CoreError, TypeError):
            _call("posix_spawn_file_actions_destroy", self._actions)

    def dup2(self, source: int, target: int) -> None:
        """Put ``source`` at ``target``; the same number twice clears its close-on-exec flag."""
        _call("posix_spawn_file_actions_adddup2", self._actions, source, target)

    def close(self, fd: int) -> None:
        """Close ``fd``; that it is not open is no error (both libraries ignore it)."""
        _call("posix_spawn_file_actions_addclose", self._actions, fd)

    def close_from(self, fd: int) -> None:
        """Close ``fd`` and every one above it."""
        _call("posix_spawn_file_actions_addclosefrom_np", self._actions, fd)

    def open(self, target: int, path: bytes, flags: int) -> None:
        """Open ``path`` at ``target``."""
        _call("posix_spawn_file_actions_addopen", self._actions, target, path, flags, 0)

    def chdir(self, path: bytes) -> None:
        """Change the directory."""
        _call("posix_spawn_file_actions_addchdir_np", self._actions, path)

    def spawn(
        self,
        path: bytes,
        attr: ctypes.Array[Any],
        argv: Vector,
        env: Vector | None,
    ) -> tuple[int, int]:
        """Call posix_spawn; return the error number (0: none) and the pid.

        Args:
            path: The file to execute.
            attr: Of `attributes`.
            argv: A `vector`.
            env: A `vector`, or None for the environment of this process as it is now.
        """
        pid = ctypes.c_int(0)
        code = _function("posix_spawn")(
            ctypes.byref(pid),
            path,
            self._actions,
            attr,
            argv,
            _environ() if env is None else env,
        )
        return code, pid.value


def vector(strings: Sequence[bytes]) -> Vector:
    """Make an array of pointers that ends with NULL; it keeps the strings alive."""
    return (ctypes.c_char_p * (len(strings) + 1))(*strings)


@functools.cache
def _environ() -> ctypes.c_void_p:
    # The variable and not its value: whoever is given it sees the environment as it is then.
    return ctypes.c_void_p.in_dll(_library(), "environ")
