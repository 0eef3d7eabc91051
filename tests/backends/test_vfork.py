"""VFORK: what is special about the C library's posix_spawn, and that all it says is heard."""

import ctypes
import errno
import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from trio_coreshift import (
    Allowlist,
    CloseFrom3,
    CoreError,
    SpawnBackend,
    SpawnOptions,
    spawn,
)
from trio_coreshift._backends import posix_spawn, vfork
from trio_coreshift._backends.plan import LaunchPlan
from trio_coreshift._exec_image import Environment, ExecImage
from trio_coreshift._kernel import libc

VFORK = SpawnBackend.VFORK
CHDIR = "posix_spawn_file_actions_addchdir_np"
CLOSE_FROM = "posix_spawn_file_actions_addclosefrom_np"


class PoorLibrary:
    """The C library as it is where it has fewer calls (an older one, or another)."""

    def __init__(self, *lacks: str) -> None:
        self._lacks = lacks
        self._whole = ctypes.PyDLL(None)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as ctypes has it
        """Find a function."""
        if name in self._lacks:
            raise AttributeError(name)
        return getattr(self._whole, name)


@pytest.fixture
def fresh_functions() -> Iterator[None]:
    """Forget which functions were found, before and after."""
    caches = (libc._function, libc.attributes, vfork._actions)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


def plan_of(*, stdin: int | None = None, pgid: int | None = None) -> LaunchPlan:
    """Return a plan for a program that there is."""
    return LaunchPlan(
        image=ExecImage(argv=(b"true",), env=Environment({}), cwd=None),
        path=b"/bin/true",
        stdio=(stdin, None, None),
        pgid=pgid,
    )


@pytest.mark.usefixtures("fresh_functions")
async def test_an_option_that_libc_lacks_the_call_for_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where libc lacks a call, the option that needs it is ENOSYS, and all others work."""
    poor = PoorLibrary(CHDIR, CLOSE_FROM)
    monkeypatch.setattr(libc, "_library", lambda: poor)
    true = ("/bin/true",)
    for options, call in (
        (SpawnOptions(true, backend=VFORK, cwd=tmp_path), CHDIR),
        (SpawnOptions(true, backend=VFORK, fd_policy=CloseFrom3()), CLOSE_FROM),
        (SpawnOptions(true, backend=VFORK, fd_policy=Allowlist((0,))), CLOSE_FROM),
    ):
        with pytest.raises(CoreError) as caught:
            await spawn(options)
        assert (caught.value.errno, caught.value.op) == (errno.ENOSYS, f"vfork {call}")
    await spawn(SpawnOptions(true, backend=VFORK, env={}, stdin=b"x", capture_stdout=True))


def test_a_dup2_that_fails_in_the_child_is_found_out() -> None:
    """A source that is not open when the child is made is EBADF, and not blamed on the program."""
    with pytest.raises(CoreError) as caught:
        vfork.start(plan_of(stdin=1000))
    assert (caught.value.errno, caught.value.op) == (errno.EBADF, "vfork child dup2")


def test_posix_spawn_gives_the_errno_alone() -> None:
    """The same failure through POSIX_SPAWN has the errno, and no stage."""
    with pytest.raises(CoreError) as caught:
        posix_spawn.start(plan_of(stdin=1000))
    assert (caught.value.errno, caught.value.op) == (errno.EBADF, "posix_spawn")


@pytest.mark.parametrize("start", [vfork.start, posix_spawn.start], ids=["vfork", "posix_spawn"])
def test_start_is_synchronous_and_needs_no_loop(start: Any) -> None:  # noqa: ANN401 - one of two
    """The backend is below trio: when it returns, the program runs."""
    launched = start(plan_of(pgid=0))
    assert launched.error_pipe is None
    assert os.waitpid(launched.pid, 0) == (launched.pid, 0)


async def test_a_high_descriptor_may_be_allowed(tmp_path: Path) -> None:
    """A gap in an Allowlist up to a high descriptor is closed as well, and is no error."""
    with (tmp_path / "file").open("wb") as file:
        high = os.dup2(file.fileno(), 900)
        try:
            options = SpawnOptions(
                ("/bin/ls", "/proc/self/fd"),
                backend=VFORK,
                fd_policy=Allowlist((high,)),
                capture_stdout=True,
            )
            output = await spawn(options)
        finally:
            os.close(high)
    assert output.stdout.split()[:3] == [b"0", b"1", b"2"]
    assert b"900" in output.stdout.split()


async def test_actions_made_once_serve_every_spawn_of_their_kind(tmp_path: Path) -> None:
    """Two kinds of spawns in turns, whose actions are kept, each get their own."""
    pwd = ("/bin/pwd",)
    here = SpawnOptions(pwd, backend=VFORK, cwd=tmp_path, capture_stdout=True)
    there = SpawnOptions(pwd, backend=VFORK, cwd="/", capture_stdout=True)
    for _ in range(3):
        assert (await spawn(here)).stdout == b"%b\n" % os.fsencode(tmp_path)
        assert (await spawn(there)).stdout == b"/\n"


async def test_an_environment_is_laid_out_once_and_goes_with_its_options() -> None:
    """What the kernel is given is kept for the next spawn of the same options, no longer."""
    gc.collect()
    before = len(vfork._environments)
    options = SpawnOptions(("/bin/true",), backend=VFORK, env={"A": "1"})
    for _ in range(2):
        (await spawn(options)).check()
        assert len(vfork._environments) == before + 1
    again = attrs.evolve(options, timeout=60)
    del options
    gc.collect()
    (await spawn(again)).check()
    del again
    gc.collect()
    assert len(vfork._environments) == before
