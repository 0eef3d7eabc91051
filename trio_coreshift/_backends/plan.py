"""`LaunchPlan`: all that a backend needs to know, and no more.

The contract of the backends, which are siblings and know nothing of each other:
``start(plan)`` returns a `Launched` or raises `CoreError`. In the second case no child is left.
"""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from trio_coreshift._errors import CoreError
    from trio_coreshift._exec_image import ExecImage

DEVNULL: Final = subprocess.DEVNULL

# What Python itself ignores, and programs do not expect to find ignored.
RESTORED_SIGNALS: Final = (signal.SIGPIPE, signal.SIGXFSZ)


class LaunchPlan(NamedTuple):
    """What the child is made of. Every descriptor in it is open in the parent.

    Attributes:
        image: Arguments, environment, directory.
        path: The file to execute.
        stdio: For 0, 1 and 2: the descriptor to put there, `DEVNULL`, or None to inherit. They
            are put in place in order; a source that is itself below 3 is meant as it is then.
        setsid: Whether to start a session.
        pgid: The group to join, 0 for a new one, None for the parent's.
        keep: None to inherit by the close-on-exec flags; else all descriptors from 3 on are
            closed but these and ``pass_fds``.
        pass_fds: Descriptors to clear the close-on-exec flag of, in the child.
    """

    image: ExecImage
    path: bytes
    stdio: tuple[int | None, int | None, int | None]
    setsid: bool = False
    pgid: int | None = None
    keep: tuple[int, ...] | None = None
    pass_fds: tuple[int, ...] = ()


class ErrorPipe(Protocol):
    """The parent's end of a child-error pipe, closed by whoever reads it to its end."""

    @property
    def fd(self) -> int:
        """Its descriptor (non-blocking), readable when there is something to be read."""
        ...  # pragma: no cover - a protocol has no body to run

    def read(self) -> CoreError | None:
        """Read what the child said; None: it has become the program.

        Raises:
            BlockingIOError: It has not said anything yet.
        """
        ...  # pragma: no cover - a protocol has no body to run


class Launched(NamedTuple):
    """A child that exists.

    Attributes:
        pid: Its process id.
        error_pipe: Ends when the program runs, and says before that why it does not; None where
            that is known already.
    """

    pid: int
    error_pipe: ErrorPipe | None = None
