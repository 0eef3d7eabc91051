"""Join two programs by a pipe, as ``producer | consumer`` does in a shell, without a shell.

    python filter_chain.py

The pipe is made here, and each program is given one end by its descriptor. The important line is
the one that closes both ends in this process: as long as anybody holds the write end, the consumer
waits for more; as long as anybody holds the read end, a producer whose consumer has gone is not
told so by SIGPIPE.
"""

import os
import signal
from contextlib import AsyncExitStack

import attrs
import trio

from trio_coreshift import Output, Signaled, SpawnBackend, SpawnOptions, spawn_start


async def chain(producer: SpawnOptions, consumer: SpawnOptions) -> tuple[Output, Output]:
    """Run both at once, joined; return how it went with each."""
    async with AsyncExitStack() as children:
        read_fd, write_fd = os.pipe()
        try:
            first = await children.enter_async_context(
                spawn_start(attrs.evolve(producer, stdout=write_fd))
            )
            second = await children.enter_async_context(
                spawn_start(attrs.evolve(consumer, stdin=read_fd))
            )
        finally:
            os.close(read_fd)
            os.close(write_fd)
        return await first.wait(), await second.wait()


def check(producer: Output, consumer: Output) -> None:
    """Fail if one of the two has failed.

    A producer that SIGPIPE has ended has not: its consumer had seen enough.
    """
    consumer.check()
    if producer.status != Signaled(signal.SIGPIPE):
        producer.check()


async def main() -> None:
    """Show two chains: one that is read to its end, and an endless one that is cut short."""
    vfork = SpawnBackend.VFORK
    numbers = SpawnOptions(["seq", "1", "100000"], backend=vfork, capture_stderr=True)
    count = SpawnOptions(["wc", "-l"], backend=vfork, capture_stdout=True, capture_stderr=True)
    first, second = await chain(numbers, count)
    check(first, second)
    print(f"seq | wc -l: {second.stdout.decode().strip()}")

    endless = SpawnOptions(["yes"], backend=vfork, capture_stderr=True)
    head = SpawnOptions(["head", "-n", "2"], backend=vfork, capture_stdout=True)
    first, second = await chain(endless, head)
    check(first, second)
    print(f"yes | head -n 2: {second.stdout.decode().split()}, and yes: {first.status}")


if __name__ == "__main__":
    trio.run(main)
