"""Fixtures of every test: the leak guard and the backends. Anything else is in `tests/support`."""

import signal
from collections.abc import Iterator

import pytest

from tests.support import leaks
from trio_coreshift import SpawnBackend

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A job that a non-interactive shell runs in the background ignores SIGINT, and so would every
    # program that the tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a descriptor, a process or any global state behind.

    It is a plain fixture, set up before and torn down after the trio run of an async test. What was
    left is cleaned up, so that one bad test does not fail the next.
    """
    before = leaks.take_snapshot()
    leaks.set_cookie(request.node.name)
    yield
    found = leaks.settle(before)
    if found:
        pytest.fail("\n".join(["the test left something behind:", *found]), pytrace=False)


@pytest.fixture(params=list(SpawnBackend), ids=lambda backend: backend.name.lower())
def backend(request: pytest.FixtureRequest) -> SpawnBackend:
    """Run the test once with each backend."""
    chosen: SpawnBackend = request.param
    return chosen


@pytest.fixture(
    params=[SpawnBackend.FORK, SpawnBackend.VFORK], ids=lambda backend: backend.name.lower()
)
def full_backend(request: pytest.FixtureRequest) -> SpawnBackend:
    """Run the test once with each backend that can do everything."""
    chosen: SpawnBackend = request.param
    return chosen
