"""A storm of spawns, as each contender does it; run inside a worker.

Every child's stdin is at its end. Everybody states what to run anew for each spawn, as code that
runs different programs has to; only ``vfork_reused`` builds its options once.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio

from trio_coreshift import SpawnBackend, SpawnOptions, spawn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

_PERIOD: Final = 0.001

_BACKENDS: Final = {
    "vfork": SpawnBackend.VFORK,
    "posix_spawn": SpawnBackend.POSIX_SPAWN,
    "fork": SpawnBackend.FORK,
}


def program() -> str:
    """The program that does nothing."""
    found = shutil.which("true")
    assert found is not None, "there is no /bin/true"
    return found


def run(  # noqa: PLR0913 - they are what a measurement consists of
    contender: str,
    spawns: int,
    at_a_time: int,
    streams: int = 0,
    *,
    probe: bool = False,
    floor: str | None = None,
) -> dict[str, Any]:
    """Spawn and wait for many programs that do nothing.

    Args:
        contender: By whom.
        spawns: How many in all.
        at_a_time: How many of them at any moment.
        streams: How many of stdout and stderr are captured.
        probe: Whether a task measures how late the loop is meanwhile.
        floor: The C program.

    Returns:
        ``rate`` in spawns per second, ``cpu_us`` in microseconds per spawn for this process, and
        ``late_ms``, the lateness of every tick of the probe in milliseconds.
    """
    if contender == "floor":
        return _run_floor(floor, spawns, at_a_time)
    if contender == "fork":
        spawns = max(1, spawns // 4)  # each takes several times as long
    late: list[float] = []
    gc.collect()
    cpu = _cpu()
    began = time.perf_counter()
    if contender == "asyncio":
        asyncio.run(_asyncio_storm(spawns, at_a_time, streams, late if probe else None))
    elif contender == "subprocess":
        _thread_storm(spawns, at_a_time, streams)
    else:
        once = trio_once(contender, streams)
        trio.run(_trio_storm, once, spawns, at_a_time, late if probe else None)
    seconds = time.perf_counter() - began
    return {
        "rate": spawns / seconds,
        "cpu_us": (_cpu() - cpu) / spawns * 1e6,
        "late_ms": [each * 1e3 for each in late],
    }


def _run_floor(floor: str | None, spawns: int, at_a_time: int) -> dict[str, Any]:
    assert floor is not None
    command = (floor, str(spawns), str(at_a_time), program())
    done = subprocess.run(command, check=True, capture_output=True)
    seconds, cpu = map(float, done.stdout.split())
    return {"rate": spawns / seconds, "cpu_us": cpu / spawns * 1e6, "late_ms": []}


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def trio_once(contender: str, streams: int) -> Callable[[], Awaitable[object]]:
    """How a contender that runs on trio spawns one program."""
    argv = (program(),)
    match contender:
        case "trio" | "trio_devnull":
            stdin = b"" if contender == "trio" else subprocess.DEVNULL
            return partial(
                trio.run_process,
                argv,
                stdin=stdin,
                capture_stdout=streams > 0,
                capture_stderr=streams > 1,
            )
        case "anyio":
            return partial(_anyio_once, argv, streams)
        case "vfork_reused":
            return partial(spawn, _options("vfork", argv, streams))
        case _:
            return partial(_spawn_once, contender, argv, streams)


async def _spawn_once(contender: str, argv: tuple[str, ...], streams: int) -> None:
    (await spawn(_options(contender, argv, streams))).check()


def _options(contender: str, argv: tuple[str, ...], streams: int) -> SpawnOptions:
    return SpawnOptions(
        argv,
        backend=_BACKENDS[contender],
        capture_stdout=streams > 0,
        capture_stderr=streams > 1,
    )


async def _anyio_once(argv: tuple[str, ...], streams: int) -> None:
    import anyio  # noqa: PLC0415 - it need not be there, and costs the others nothing

    await anyio.run_process(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if streams > 0 else None,
        stderr=subprocess.PIPE if streams > 1 else None,
    )


async def _trio_storm(
    once: Callable[[], Awaitable[object]],
    spawns: int,
    at_a_time: int,
    late: list[float] | None,
) -> None:
    left = spawns

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await once()

    async with trio.open_nursery() as around:
        if late is not None:
            around.start_soon(_probe, late, trio.sleep)
        async with trio.open_nursery() as nursery:
            for _ in range(at_a_time):
                nursery.start_soon(work)
        around.cancel_scope.cancel()


async def _asyncio_storm(
    spawns: int, at_a_time: int, streams: int, late: list[float] | None
) -> None:
    left = spawns

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await asyncio_once(program(), streams=streams)

    probe = None if late is None else asyncio.create_task(_probe(late, asyncio.sleep))
    async with asyncio.TaskGroup() as group:
        for _ in range(at_a_time):
            group.create_task(work())
    if probe is not None:
        probe.cancel()


async def asyncio_once(*argv: str, streams: int) -> None:
    """Run one program with asyncio."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE if streams > 0 else None,
        stderr=asyncio.subprocess.PIPE if streams > 1 else None,
    )
    await process.communicate()


def _thread_storm(spawns: int, at_a_time: int, streams: int) -> None:
    def once(_number: int) -> None:
        subprocess.run(
            (program(),),
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if streams > 0 else None,
            stderr=subprocess.PIPE if streams > 1 else None,
        )

    if at_a_time == 1:
        for number in range(spawns):
            once(number)
        return
    with ThreadPoolExecutor(at_a_time) as pool:
        for _ in pool.map(once, range(spawns)):
            pass


async def _probe(late: list[float], sleep: Callable[[float], Coroutine[Any, Any, None]]) -> None:
    """Note how late each tick of a clock is seen.

    The ticks that pass while the loop is busy count each for itself; to count only the one that is
    slept for would make a loop that hangs for 100 ms look as good as one that hangs for 1 ms.
    """
    due = time.perf_counter() + _PERIOD
    while True:
        await sleep(max(0.0, due - time.perf_counter()))
        now = time.perf_counter()
        while due <= now:
            late.append(now - due)
            due += _PERIOD


async def latencies(once: Callable[[], Awaitable[object]], spawns: int) -> list[float]:
    """How long each of some spawns takes, one after the other, in microseconds."""
    result = []
    for _ in range(spawns):
        began = time.perf_counter()
        await once()
        result.append((time.perf_counter() - began) * 1e6)
    return result
