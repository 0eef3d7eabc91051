"""A thousand spawns at once where there are descriptors for a few only."""

from collections.abc import Mapping
from typing import Any

from tests.support.parents import parent
from trio_coreshift import SpawnBackend

# A captured child takes its two pipes, a pidfd and an epoll descriptor, for a moment the children's
# ends of the pipes, and on FORK the error pipe: at most 10.
_LIMIT = 100
_AT_A_TIME = 8


def _storm(backend: SpawnBackend, spawns: int, limiter: int) -> Mapping[str, Any]:
    result: Mapping[str, Any] = parent("storm", backend.name, spawns, _LIMIT, limiter)
    return result


def test_storm_without_descriptors_ends_in_typed_errors(backend: SpawnBackend) -> None:
    """Of a thousand spawns at once, each runs to its end or fails with EMFILE; nothing is left."""
    storm = _storm(backend, 1000, 0)

    assert storm["others"] == []
    assert storm["errors"] != {}
    assert {error.partition(" ")[0] for error in storm["errors"]} == {"EMFILE"}
    assert storm["ok"] + sum(storm["errors"].values()) == 1000
    assert storm["ok"] == storm["held"] >= _LIMIT // 10
    assert storm["left"] == []
    assert storm["next"] == "next\n"


def test_storm_behind_a_limiter_of_the_callers_simply_works(backend: SpawnBackend) -> None:
    """Behind a `trio.CapacityLimiter`, every spawn of a storm runs, with descriptors for a few."""
    # Nothing fails fast here, and FORK takes several milliseconds for each.
    spawns = 250 if backend is SpawnBackend.FORK else 1000
    storm = _storm(backend, spawns, _AT_A_TIME)

    assert storm["others"] == []
    assert storm["errors"] == {}
    assert storm["ok"] == spawns
    assert 1 <= storm["held"] <= _AT_A_TIME
    assert storm["left"] == []
    assert storm["next"] == "next\n"
