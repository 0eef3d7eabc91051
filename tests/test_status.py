"""Exit statuses: decoding what the kernel reports, and telling people and programs."""

import os
import pickle
import signal
import subprocess
from typing import assert_never

import attrs
import pytest

from tests.support import child
from trio_coreshift import Exited, Signaled, Unknown
from trio_coreshift._status import (
    ExitStatus,
    decode_wait_status,
    decode_waitid,
    describe_status,
    named_signal,
    returncode_of,
    signal_name,
)

STATUSES: list[ExitStatus] = [Exited(0), Exited(255), Signaled(15), Signaled(41), Unknown()]


@pytest.mark.parametrize("code", [0, 1, 255])
def test_exit_codes_from_the_kernel(code: int) -> None:
    """An exit is decoded alike from waitid(2) and from wait4(2)."""
    popen = subprocess.Popen(child("exit_with", code))
    seen = os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT)
    assert seen is not None
    assert decode_waitid(seen) == Exited(code)
    assert decode_wait_status(os.wait4(popen.pid, 0)[1]) == Exited(code)
    popen.returncode = 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGRTMAX - 3])
def test_signals_from_the_kernel(number: int) -> None:
    """A death by signal is decoded alike from waitid(2) and from wait4(2)."""
    popen = subprocess.Popen(child("die_by", int(number)))
    seen = os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT)
    assert seen is not None
    assert decode_waitid(seen) == Signaled(number)
    assert decode_wait_status(os.wait4(popen.pid, 0)[1]) == Signaled(number)
    popen.returncode = 0


def test_a_core_dump_is_a_signal() -> None:
    """The flag for a dumped core does not change the signal."""
    assert decode_wait_status(0x80 | signal.SIGSEGV) == Signaled(signal.SIGSEGV)


def test_a_stop_is_no_end() -> None:
    """A word that means neither an exit nor a signal is never a success."""
    assert decode_wait_status(0x137F) == Unknown()


def test_signals_are_named_where_python_has_a_name() -> None:
    """A status holds the `signal.Signals` member, and a bare number for realtime signals."""
    status = decode_wait_status(signal.SIGTERM)
    assert isinstance(status, Signaled)
    assert status.signal is signal.SIGTERM
    assert named_signal(41) == 41
    assert not isinstance(named_signal(41), signal.Signals)
    assert (signal_name(9), signal_name(41)) == ("SIGKILL", "signal 41")


@pytest.mark.parametrize(
    ("status", "returncode", "text"),
    [
        (Exited(0), 0, "exited with code 0"),
        (Exited(7), 7, "exited with code 7"),
        (Signaled(9), -9, "was ended by SIGKILL"),
        (Signaled(41), -41, "was ended by signal 41"),
        (Unknown(), None, "ended, but its status was taken by someone else"),
        (None, None, "has not ended"),
    ],
)
def test_returncode_and_words(status: ExitStatus | None, returncode: int | None, text: str) -> None:
    """Each status has a return code as subprocess has it, and words; unknown is never 0."""
    assert returncode_of(status) == returncode
    assert describe_status(status) == text


@pytest.mark.parametrize("status", STATUSES, ids=repr)
def test_statuses_are_values(status: ExitStatus) -> None:
    """A status is frozen, hashable, equal by content, and comes through pickle."""
    twin = pickle.loads(pickle.dumps(status))
    assert twin == status
    assert hash(twin) == hash(status)
    assert sum(status == other for other in STATUSES) == 1
    assert not hasattr(status, "__dict__")
    with pytest.raises((attrs.exceptions.FrozenInstanceError, AttributeError)):
        status.code = 3  # type: ignore[union-attr,misc]  # frozen is the point


def test_the_union_is_closed() -> None:
    """A match over the three kinds is exhaustive, for the type checker and in fact."""
    words = []
    for status in STATUSES:
        match status:
            case Exited(code):
                words.append(f"exit {code}")
            case Signaled(number):
                words.append(f"signal {number}")
            case Unknown():
                words.append("?")
            case _:  # pragma: no cover - there is none
                assert_never(status)
    assert words == ["exit 0", "exit 255", "signal 15", "signal 41", "?"]
