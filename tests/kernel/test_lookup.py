"""Finding a program on a PATH."""

import errno
import os
from pathlib import Path

import pytest

from tests.support.parents import parent
from trio_coreshift import CoreError
from trio_coreshift._kernel.lookup import find_program


def program(path: Path, mode: int = 0o755) -> bytes:
    """Make a file and return its path as bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    path.chmod(mode)
    return bytes(path)


def path_of(*folders: Path) -> bytes:
    """Return a PATH of folders."""
    return b":".join(map(bytes, folders))


def env_of(path: bytes) -> dict[bytes, bytes]:
    """Return an environment with a PATH."""
    return {b"PATH": path, b"HOME": b"/"}


@pytest.mark.parametrize("name", [b"/x/y", b"./y", b"x/y", b"../y", b"y/"])
def test_a_name_with_a_slash_is_the_file(name: bytes) -> None:
    """A name with a slash is not looked up, and not looked at."""
    assert find_program(name, env_of(b"/bin"), None) == name


def test_the_first_wins(tmp_path: Path) -> None:
    """The folders are searched in order."""
    first, second = program(tmp_path / "1/p"), program(tmp_path / "2/p")
    assert find_program(b"p", env_of(path_of(tmp_path / "1", tmp_path / "2")), None) == first
    assert find_program(b"p", env_of(path_of(tmp_path / "2", tmp_path / "1")), None) == second


def test_what_cannot_be_run_is_skipped(tmp_path: Path) -> None:
    """Folders, pipes, broken links and files without permission are not programs."""
    (tmp_path / "1/p").mkdir(parents=True)
    program(tmp_path / "2/p", 0o644)
    (tmp_path / "3").mkdir()
    (tmp_path / "3/p").symlink_to("nowhere")
    (tmp_path / "4").mkdir()
    os.mkfifo(tmp_path / "4/p", 0o755)
    found = program(tmp_path / "5/p")
    path = path_of(*(tmp_path / name for name in "12345"))
    assert find_program(b"p", env_of(path), None) == found


def test_a_link_is_followed(tmp_path: Path) -> None:
    """A link to a program is a program, under its own name."""
    program(tmp_path / "real")
    (tmp_path / "p").symlink_to("real")
    assert find_program(b"p", env_of(path_of(tmp_path)), None) == bytes(tmp_path / "p")


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    """Names and folders are bytes."""
    folder = tmp_path / os.fsdecode(b"\xfe")
    file = program(folder / os.fsdecode(b"\xff"))
    assert find_program(b"\xff", env_of(bytes(folder)), None) == file


def test_none_is_the_default_path() -> None:
    """Without a PATH the system's default is searched; with an empty one, the directory."""
    assert find_program(b"sh", {}, None) in {b"/bin/sh", b"/usr/bin/sh"}
    with pytest.raises(CoreError):
        find_program(b"sh", env_of(b""), b"/nonexistent")


def test_relative_entries_mean_the_childs_directory(tmp_path: Path) -> None:
    """Empty and relative entries are looked at below the child's directory, and stay relative."""
    program(tmp_path / "p")
    program(tmp_path / "bin/q")
    cwd = bytes(tmp_path)
    assert find_program(b"p", env_of(b""), cwd) == b"./p"
    assert find_program(b"p", env_of(b"/nonexistent:"), cwd) == b"./p"
    assert find_program(b"q", env_of(b"bin"), cwd) == b"bin/q"
    with pytest.raises(FileNotFoundError):
        find_program(b"p", env_of(b"bin"), cwd)


def test_nothing_found(tmp_path: Path) -> None:
    """Nothing of that name is ENOENT; only things that may not be run are EACCES."""
    program(tmp_path / "1/p", 0o644)
    with pytest.raises(FileNotFoundError) as missing:
        find_program(b"q", env_of(path_of(tmp_path / "1")), None)
    with pytest.raises(PermissionError) as forbidden:
        find_program(b"p", env_of(path_of(tmp_path / "1", tmp_path)), None)
    for caught, code in ((missing, errno.ENOENT), (forbidden, errno.EACCES)):
        assert isinstance(caught.value, CoreError)
        assert (caught.value.errno, caught.value.op) == (code, "exec path lookup")


def test_the_effective_user_decides() -> None:
    """Permission is that of the effective user, who will run it, and not of the real one."""
    if os.getuid() != 0:
        pytest.skip("only root can change ids")  # pragma: no cover - tests may run as anybody
    assert parent("lookup_as_another") == {"forbidden": "PermissionError", "allowed": "found"}
