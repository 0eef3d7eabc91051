"""Short ways to run a program through the package and look at what it wrote."""

import json
from typing import Any

import attrs

from trio_coreshift import SpawnOptions, spawn


async def stdout_of(options: SpawnOptions) -> bytes:
    """Run a program that must succeed and return what it wrote to stdout."""
    output = await spawn(attrs.evolve(options, capture_stdout=True))
    assert output.complete
    return output.check().stdout


async def report_of(options: SpawnOptions) -> Any:  # noqa: ANN401 - JSON can be anything
    """Run a program that must succeed and return the JSON value that it printed."""
    return json.loads(await stdout_of(options))
