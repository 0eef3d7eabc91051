"""Throughput: a child writes much, and it is captured, streamed, or given to a sink."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import trio

from trio_coreshift import SpawnBackend, SpawnOptions, spawn, spawn_start

from .figures import Bound, Figure
from .harness import column, interleave
from .worker import call_fresh

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from .harness import Bench

_MIB: Final = 1024 * 1024
_WRITER: Final = """
import os, sys
block = memoryview(bytes(1 << 20))
for _ in range(int(sys.argv[1])):
    rest = block
    while rest:
        rest = rest[os.write(1, rest):]
"""


def measure(bench: Bench) -> list[Figure]:
    """Take the figures of this family."""
    mib = bench.pick(full=512, quick=64, tiny=1)
    capture = _measure(bench, mib, "capture", ("vfork", "trio", "anyio", "asyncio", "subprocess"))
    stream = _measure(bench, mib, "stream", ("vfork", "sink", "trio", "anyio", "asyncio"))
    return [
        Figure(
            name="throughput-capture",
            title=f"capturing {mib} MiB of stdout as bytes",
            unit="MiB/s",
            higher_is_better=True,
            samples=capture,
            must=Bound(1.1),
            aims=(Bound(2.0),),
        ),
        Figure(
            name="throughput-stream",
            title=f"streaming {mib} MiB of stdout from PIPE",
            unit="MiB/s",
            higher_is_better=True,
            samples={name: each for name, each in stream.items() if name != "sink"},
        ),
        Figure(
            name="throughput-sink",
            title=f"{mib} MiB of stdout into a sink, against streaming with trio",
            unit="MiB/s",
            higher_is_better=True,
            samples={
                **({"vfork": stream["sink"]} if "sink" in stream else {}),
                "trio": stream["trio"],
            },
        ),
    ]


def _measure(
    bench: Bench, mib: int, how: str, contenders: tuple[str, ...]
) -> dict[str, list[float]]:
    def once(contender: str) -> dict[str, Any]:
        # Fresh: what the allocator keeps of the last sample would make the next one faster.
        arguments = {"how": how, "contender": contender, "mib": mib}
        return call_fresh("throughput:run", arguments)

    # What is warmed up is the page cache alone: once is enough.
    once("trio")
    rounds = bench.pick(full=5, quick=2, tiny=1)
    return column(interleave(bench.present(*contenders), rounds, once), "mib_per_s")


def run(how: str, contender: str, mib: int) -> dict[str, float]:
    """Return the MiB per second of one run; run inside a worker."""
    argv = (sys.executable, "-I", "-S", "-c", _WRITER, str(mib))
    began = time.perf_counter()
    if contender == "subprocess":
        size = len(subprocess.run(argv, check=True, capture_output=True).stdout)
    elif contender == "asyncio":
        size = asyncio.run(_asyncio(how, argv))
    else:
        size = trio.run(_RUNS[how, contender], argv)
    seconds = time.perf_counter() - began
    assert size == mib * _MIB, f"{contender} lost output"
    return {"mib_per_s": mib / seconds}


async def _capture_ours(argv: tuple[str, ...]) -> int:
    options = SpawnOptions(
        argv, backend=SpawnBackend.VFORK, capture_stdout=True, max_output=1 << 40
    )
    return len((await spawn(options)).stdout)


async def _stream_ours(argv: tuple[str, ...]) -> int:
    options = SpawnOptions(argv, backend=SpawnBackend.VFORK, stdout=subprocess.PIPE)
    async with spawn_start(options) as running:
        assert running.stdout is not None
        return await _count(running.stdout)


async def _sink_ours(argv: tuple[str, ...]) -> int:
    size = 0

    async def sink(chunk: bytes) -> None:
        nonlocal size
        size += len(chunk)
        await trio.lowlevel.checkpoint()

    await spawn(SpawnOptions(argv, backend=SpawnBackend.VFORK, stdout_sink=sink))
    return size


async def _capture_trio(argv: tuple[str, ...]) -> int:
    return len((await trio.run_process(argv, capture_stdout=True)).stdout)


async def _stream_trio(argv: tuple[str, ...]) -> int:
    async with trio.open_nursery() as nursery:
        process = await nursery.start(_run_piped, argv)
        return await _count(process.stdout)
    raise AssertionError  # pragma: no cover - no exception is swallowed


async def _run_piped(
    argv: tuple[str, ...], task_status: trio.TaskStatus[trio.Process] = trio.TASK_STATUS_IGNORED
) -> None:
    await trio.run_process(argv, stdout=subprocess.PIPE, task_status=task_status)


async def _capture_anyio(argv: tuple[str, ...]) -> int:
    import anyio  # noqa: PLC0415 - it need not be there

    return len((await anyio.run_process(argv, stdin=subprocess.DEVNULL, stderr=None)).stdout)


async def _stream_anyio(argv: tuple[str, ...]) -> int:
    import anyio  # noqa: PLC0415 - it need not be there

    async with await anyio.open_process(argv, stdin=subprocess.DEVNULL, stderr=None) as process:
        assert process.stdout is not None
        size = await _count(process.stdout)
        await process.wait()
        return size


async def _asyncio(how: str, argv: tuple[str, ...]) -> int:
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    if how == "capture":
        return len((await process.communicate())[0])
    assert process.stdout is not None
    size = 0
    while chunk := await process.stdout.read(65536):
        size += len(chunk)
    await process.wait()
    return size


async def _count(chunks: AsyncIterable[bytes | bytearray]) -> int:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
    return size


_RUNS: Final = {
    ("capture", "vfork"): _capture_ours,
    ("capture", "trio"): _capture_trio,
    ("capture", "anyio"): _capture_anyio,
    ("stream", "vfork"): _stream_ours,
    ("stream", "sink"): _sink_ours,
    ("stream", "trio"): _stream_trio,
    ("stream", "anyio"): _stream_anyio,
}
