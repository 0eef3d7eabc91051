"""The choices a caller makes about a child: values only."""

from __future__ import annotations

import enum
import errno
from typing import TYPE_CHECKING, Final

import attrs

from ._errors import CoreError, invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

# Descriptors and process ids are ints of C; a larger one would be cut to another number.
INT_MAX: Final = 2**31 - 1


class SpawnBackend(enum.Enum):
    """What starts the program. Never chosen or changed for the caller."""

    FORK = "fork"
    """`os.fork`, Python code in the child, and a pipe that tells the exact stage of a failure.
    Its cost grows with the memory of the parent."""

    POSIX_SPAWN = "posix_spawn"
    """`os.posix_spawn`. Refuses ``cwd``, ``isolated`` and descriptor policies."""

    VFORK = "vfork"
    """The C library's ``posix_spawn`` with its extensions. Does everything, at a flat cost."""


class CancelPolicy(enum.Enum):
    """What a cancelled scope, an exception in the body or a timeout does to the child."""

    NONE = "none"
    """Send nothing; wait, shielded, for the natural end."""

    GRACEFUL = "graceful"
    """SIGTERM, then SIGCONT, then after ``kill_grace`` seconds SIGKILL."""

    KILL = "kill"
    """SIGKILL at once."""


class OverflowPolicy(enum.Enum):
    """What happens when a child writes more than ``max_output`` bytes."""

    DRAIN = "drain"
    """Read and discard to the end, then raise `OutputLimitError` with what was kept."""

    STOP = "stop"
    """Close the pipes, apply the cancel policy, then raise `OutputLimitError`."""

    TRUNCATE = "truncate"
    """Read and discard to the end, then return with ``Output.truncated`` set."""


def _leader(value: int | None) -> int | None:
    given: object = value
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int):
        msg = f"leader must be an int or None, not {type(given).__name__}"
        raise TypeError(msg)
    if not 0 <= given <= INT_MAX:
        raise invalid("pgroup leader invalid")
    return given


@attrs.frozen
class ProcessGroup:
    """The process group, and the session, a child runs in.

    Attributes:
        leader: None: the caller's group. 0: a new group that the child leads. Another number:
            join that group, which from then on is one unit: a policy applied to this child is
            applied to the whole group.
        isolated: Start a new session (setsid(2)), and with it a new group. The child has no
            controlling terminal then.
        sweep: After a natural exit, kill what remains in a group of our own. Means nothing for a
            group that the child does not lead.
    """

    leader: int | None = attrs.field(default=None, converter=_leader)
    isolated: bool = attrs.field(default=False, converter=bool)
    sweep: bool = attrs.field(default=True, converter=bool)

    def __attrs_post_init__(self) -> None:
        """Refuse what setpgid(2) would: a session leader cannot change its group."""
        if self.isolated and self.leader is not None:
            raise invalid("pgroup isolated with leader")

    @property
    def own(self) -> bool:
        """Whether the child leads a new group."""
        return self.isolated or self.leader == 0


@attrs.frozen
class CloexecOnly:
    """Descriptors are inherited as their close-on-exec flags say."""


@attrs.frozen
class CloseFrom3:
    """Every descriptor from 3 on is closed in the child, except ``pass_fds``."""


def descriptor(value: object, op: str) -> int:
    """Check that ``value`` can be a descriptor number at all."""
    if not isinstance(value, int) or isinstance(value, bool):
        msg = f"a file descriptor must be an int, not {type(value).__name__}"
        raise TypeError(msg)
    if not 0 <= value <= INT_MAX:
        raise invalid(f"{op} invalid")
    return value


def distinct_descriptors(fds: Iterable[int], op: str) -> tuple[int, ...]:
    """Check a list of descriptors: whole numbers from 0 on, none twice."""
    result = tuple([descriptor(fd, op) for fd in fds])
    if result and len(set(result)) != len(result):
        raise CoreError(errno.EINVAL, f"{op} duplicate")
    return result


def _allowlist(fds: Iterable[int]) -> tuple[int, ...]:
    return distinct_descriptors(fds, "spawn fd allowlist")


@attrs.frozen
class Allowlist:
    """Every descriptor from 3 on is closed in the child, except these and ``pass_fds``.

    The listed ones keep their close-on-exec flag: one that has it set still closes at exec. Use
    ``pass_fds`` to hand a descriptor over whatever its flag says.

    Attributes:
        fds: The descriptors to leave alone.
    """

    fds: tuple[int, ...] = attrs.field(converter=_allowlist)


SpawnFdPolicy = CloexecOnly | CloseFrom3 | Allowlist
