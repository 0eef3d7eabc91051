"""The choices: enums without data, unions with data, and what is refused."""

import errno
import pickle

import attrs
import pytest

from trio_coreshift import (
    Allowlist,
    CancelPolicy,
    CloexecOnly,
    CloseFrom3,
    CoreError,
    OverflowPolicy,
    ProcessGroup,
    SpawnBackend,
    SpawnFdPolicy,
)

VALUES = [
    ProcessGroup(),
    ProcessGroup(leader=0),
    ProcessGroup(isolated=True, sweep=False),
    CloexecOnly(),
    CloseFrom3(),
    Allowlist((3, 4)),
]


def test_the_enums_have_their_members() -> None:
    """The choices without data are what the contract names."""
    assert [member.name for member in SpawnBackend] == ["FORK", "POSIX_SPAWN", "VFORK"]
    assert [member.name for member in CancelPolicy] == ["NONE", "GRACEFUL", "KILL"]
    assert [member.name for member in OverflowPolicy] == ["DRAIN", "STOP", "TRUNCATE"]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_choices_are_values(value: ProcessGroup | SpawnFdPolicy) -> None:
    """A choice is frozen, slotted, hashable, equal by content, and comes through pickle."""
    twin = pickle.loads(pickle.dumps(value))
    assert twin == value
    assert hash(twin) == hash(value)
    assert sum(value == other for other in VALUES) == 1
    assert not hasattr(value, "__dict__")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        value.sweep = True  # type: ignore[misc,union-attr]  # frozen is the point


def test_the_default_group() -> None:
    """By default: the caller's group, and what remains of a group of our own is swept."""
    group = ProcessGroup()
    assert (group.leader, group.isolated, group.sweep) == (None, False, True)


@pytest.mark.parametrize(
    ("group", "own"),
    [
        (ProcessGroup(), False),
        (ProcessGroup(leader=0), True),
        (ProcessGroup(isolated=True), True),
        (ProcessGroup(leader=77), False),
    ],
)
def test_own_is_a_group_that_the_child_leads(group: ProcessGroup, own: bool) -> None:  # noqa: FBT001 - expected
    """Only a new group or session is the child's own."""
    assert group.own is own


@pytest.mark.parametrize("leader", [0, 77])
def test_isolated_with_a_leader_is_refused(leader: int) -> None:
    """A session leader cannot change its group, so the two together are refused."""
    with pytest.raises(ValueError, match="isolated with leader") as caught:
        ProcessGroup(leader=leader, isolated=True)
    assert isinstance(caught.value, CoreError)
    assert (caught.value.errno, caught.value.op) == (errno.EINVAL, "pgroup isolated with leader")


@pytest.mark.parametrize("leader", [-1, -4711, 2**31, 2**64])
def test_an_impossible_leader_is_refused(leader: int) -> None:
    """A number that cannot be a group is refused when it is said."""
    with pytest.raises(ValueError, match="pgroup leader invalid"):
        ProcessGroup(leader=leader)


@pytest.mark.parametrize("leader", ["0", 1.0, True, False])
def test_a_leader_of_the_wrong_kind_is_refused(leader: object) -> None:
    """False is not 0: what is no int is a TypeError."""
    with pytest.raises(TypeError, match="leader must be an int or None"):
        ProcessGroup(leader=leader)  # type: ignore[arg-type]  # wrong on purpose


def test_allowlist_keeps_the_order() -> None:
    """The descriptors are kept as a tuple, in the order given, from any iterable."""
    assert Allowlist([7, 3]).fds == (7, 3)
    assert Allowlist(iter({5: None})).fds == (5,)
    assert Allowlist(()).fds == ()


@pytest.mark.parametrize(
    ("fds", "op"),
    [
        ((-1,), "spawn fd allowlist invalid"),
        ((3, -7), "spawn fd allowlist invalid"),
        ((2**31,), "spawn fd allowlist invalid"),
        ((3, 4, 3), "spawn fd allowlist duplicate"),
    ],
)
def test_an_impossible_allowlist_is_refused(fds: tuple[int, ...], op: str) -> None:
    """Negative, too large and duplicate descriptors are refused when they are said."""
    with pytest.raises(ValueError, match=op) as caught:
        Allowlist(fds)
    assert isinstance(caught.value, CoreError)
    assert (caught.value.errno, caught.value.op) == (errno.EINVAL, op)


@pytest.mark.parametrize("fds", [("3",), (3.0,), (True,), 3, None])
def test_an_allowlist_of_the_wrong_kind_is_refused(fds: object) -> None:
    """What is no list of ints is a TypeError."""
    with pytest.raises(TypeError):
        Allowlist(fds)  # type: ignore[arg-type]  # wrong on purpose
