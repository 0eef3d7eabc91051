"""FORK: the child-error pipe, and that nothing of the parent happens in the child."""

import errno
import gc
import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.parents import parent
from trio_coreshift import (
    Allowlist,
    CloseFrom3,
    CoreError,
    SpawnBackend,
    SpawnFdPolicy,
    SpawnOptions,
    spawn,
)
from trio_coreshift._backends.fork import ChildErrorPipe, Stage, start
from trio_coreshift._backends.plan import LaunchPlan
from trio_coreshift._exec_image import Environment, ExecImage
from trio_coreshift._kernel.fds import make_pipe

FORK = SpawnBackend.FORK


@pytest.fixture(params=[True, False], ids=["collecting", "not collecting"])
def collecting(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Run the test with the garbage collector on and off."""
    before = gc.isenabled()
    chosen: bool = request.param
    (gc.enable if chosen else gc.disable)()
    yield chosen
    (gc.enable if before else gc.disable)()


@pytest.mark.parametrize("policy", [CloseFrom3(), Allowlist(()), Allowlist((0,))])
async def test_the_error_pipe_survives_the_policies(policy: SpawnFdPolicy, tmp_path: Path) -> None:
    """Closing everything from 3 on in the child does not close the pipe that it reports by."""
    gone = tmp_path / "gone"
    for argv, cwd, op in (
        (("/bin/true",), gone, "fork child chdir"),
        ((gone,), tmp_path, "fork child execve"),
    ):
        with pytest.raises(FileNotFoundError) as caught:
            await spawn(SpawnOptions(argv, backend=FORK, cwd=cwd, fd_policy=policy))
        assert isinstance(caught.value, CoreError)
        assert caught.value.op == op


def test_the_error_pipe_may_be_born_below_3() -> None:
    """With 0 to 2 closed at the fork, the report of the child still arrives, exact."""
    for closed, report in parent("low_error_pipe", "0", "1", "2", "01", "012").items():
        assert report == [
            [errno.ENOENT, "fork child execve"],
            [errno.ENOENT, "fork child chdir"],
            [errno.ENOENT, "fork child execve"],
        ], closed


def test_no_handler_of_the_parent_runs_in_a_child() -> None:
    """Under a hail of signals no handler, hook or clean-up of the parent runs in any child."""
    report = parent("fork_under_fire", 250)
    assert report["strangers"] == []
    assert report["handled"] > 250
    assert report["stages"].keys() == {"fork child execve"}
    # Some were hit between fork and exec, where the signal has its default effect; some were not.
    assert len(report["statuses"]) > 1
    assert report["left"] == 0


def test_a_handler_that_raises_leaves_no_child() -> None:
    """An exception from a handler, when signals are unblocked, leaves no child and no mask."""
    assert parent("raising_handler", FORK.name) == {"raised": "RaisedError", "left": [], "mask": []}


def test_the_loop_goes_on_while_the_child_sets_itself_up() -> None:
    """The report is waited for through trio: other tasks run until the child has become ready."""
    report = parent("slow_fork")
    assert report == {"turns": 10, "early": [], "status": ["Exited(code=0)"]}


def test_a_child_that_ends_without_a_word() -> None:
    """A child that ends before exec has its status, though someone else holds its error pipe."""
    assert parent("silent_child") == {"status": "Exited(code=9)"}


def test_a_warning_of_fork_is_not_an_error() -> None:
    """Python's warning about forking with threads, turned into an error, costs no child."""
    assert parent("fork_warning") == {"status": "Exited(code=0)", "left": 0}


async def test_the_collector_is_as_it_was(collecting: bool) -> None:  # noqa: FBT001 - a fixture
    """The garbage collector is on or off as before, after a success and after a failure."""
    await spawn(SpawnOptions(("/bin/true",), backend=FORK))
    assert gc.isenabled() is collecting
    with pytest.raises(FileNotFoundError):
        await spawn(SpawnOptions(("/nonexistent/prog",), backend=FORK))
    assert gc.isenabled() is collecting


@pytest.mark.parametrize("stage", Stage)
def test_each_stage_has_an_op_of_its_own(stage: Stage) -> None:
    """Every stage of the child has a text, and no two have the same."""
    assert stage.op.startswith("fork child ")
    assert [other for other in Stage if other.op == stage.op] == [stage]


def test_a_broken_error_pipe_is_an_error() -> None:
    """An error pipe that cannot be read is an error and not a success."""
    plan = LaunchPlan(
        image=ExecImage(argv=(b"x",), env=None, cwd=None),
        path=b"x",
        stdio=(None, None, None),
    )
    read_fd, write_fd = make_pipe()
    try:
        with pytest.raises(CoreError) as caught:
            ChildErrorPipe(write_fd, plan).read()
    finally:
        os.close(read_fd)
        os.close(write_fd)
    assert caught.value.op == "read fork child setup error"


def test_start_is_synchronous_and_needs_no_loop() -> None:
    """The backend is below trio: it starts a child without a loop, and the pipe ends at exec."""
    plan = LaunchPlan(
        image=ExecImage(argv=(b"true",), env=Environment({}), cwd=None),
        path=b"/bin/true",
        stdio=(None, None, None),
    )
    launched = start(plan)
    assert launched.error_pipe is not None
    select.select([launched.error_pipe.fd], [], [], 10)
    assert launched.error_pipe.read() is None
    os.close(launched.error_pipe.fd)
    assert os.waitpid(launched.pid, 0) == (launched.pid, 0)
