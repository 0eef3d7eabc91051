"""The C library's posix_spawn: each answer of it is heard, and its structs have room."""

import ctypes
import errno
import os

import pytest

from trio_coreshift import CoreError
from trio_coreshift._kernel import libc


def test_a_call_that_libc_lacks_is_enosys() -> None:
    """A name that the C library does not have is ENOSYS, with the name in the text."""
    with pytest.raises(CoreError) as caught:
        libc._function("posix_spawn_no_such_call_np")
    assert (caught.value.errno, caught.value.op) == (
        errno.ENOSYS,
        "vfork posix_spawn_no_such_call_np",
    )


def test_refused_flags_are_an_error() -> None:
    """A flag that libc does not know (as SETSID once was) is not dropped in silence."""
    with pytest.raises(CoreError) as caught:
        libc.attributes(0x4000, 0, ())
    assert (caught.value.errno, caught.value.op) == (
        errno.EINVAL,
        "vfork posix_spawnattr_setflags",
    )


def test_refused_signal_is_an_error() -> None:
    """A signal number that libc refuses is not dropped in silence."""
    with pytest.raises(CoreError) as caught:
        libc.attributes(0, 0, (9999,))
    assert caught.value.op == "vfork sigaddset"


@pytest.mark.parametrize(
    ("method", "args", "name"),
    [
        ("dup2", (-1, 5), "adddup2"),
        ("close", (-1,), "addclose"),
        ("close_from", (-1,), "addclosefrom_np"),
        ("open", (-1, b"/dev/null", 0), "addopen"),
    ],
)
def test_refused_actions_are_an_error(method: str, args: tuple[object, ...], name: str) -> None:
    """An action that libc refuses is not dropped in silence."""
    actions = libc.FileActions()
    with pytest.raises(CoreError) as caught:
        getattr(actions, method)(*args)
    assert (caught.value.errno, caught.value.op) == (
        errno.EBADF,
        f"vfork posix_spawn_file_actions_{name}",
    )


def test_structs_have_room_to_spare() -> None:
    """The C library writes into the first half of the buffers at most."""
    attr = libc.attributes(libc.SETSID | libc.SETPGROUP, 0, (13, 25, 64))
    assert any(bytes(attr))
    assert not any(bytes(attr)[ctypes.sizeof(attr) // 2 :])
    actions = libc.FileActions()
    for fd in range(200):
        actions.dup2(fd, fd + 1)
        actions.chdir(b"/")
    buffer = bytes(actions._actions)
    assert any(buffer)
    assert not any(buffer[len(buffer) // 2 :])


def test_a_spawn_reports_its_errno_and_no_pid() -> None:
    """A program that cannot be run is the errno that posix_spawn returns."""
    attr = libc.attributes(0, 0, ())
    code, pid = libc.FileActions().spawn(
        b"/nonexistent/x", attr, libc.vector((b"x",)), libc.vector(())
    )
    assert (code, pid) == (errno.ENOENT, 0)


def test_a_spawn_gives_the_pid() -> None:
    """A program that runs has the pid that posix_spawn returns."""
    attr = libc.attributes(0, 0, ())
    code, pid = libc.FileActions().spawn(b"/bin/true", attr, libc.vector((b"true",)), None)
    assert code == 0
    assert os.waitpid(pid, 0) == (pid, 0)


def test_equal_attributes_are_made_once() -> None:
    """Attributes are only read by libc, so that equal ones are one object."""
    assert libc.attributes(0, 0, (13,)) is libc.attributes(0, 0, (13,))
    assert libc.attributes(0, 0, (13,)) is not libc.attributes(0, 0, (25,))


def test_every_call_has_a_prototype() -> None:
    """Each function is called with the types of its prototype, and returns an int."""
    for name, types in libc._PROTOTYPES.items():
        function = libc._function(name)
        assert getattr(function, "argtypes") == types  # noqa: B009 - ctypes has it, the type not
        assert getattr(function, "restype") is ctypes.c_int  # noqa: B009 - the same
