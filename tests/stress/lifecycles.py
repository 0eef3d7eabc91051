"""One random life of a random process tree: a seed decides everything about it but the timing."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import trio

from tests.support import child, child_env, pattern, sh
from tests.support.procfs import COOKIE
from trio_coreshift import (
    CancelPolicy,
    CoreError,
    Output,
    OutputLimitError,
    OverflowPolicy,
    ProcessGroup,
    RunningProcess,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

DEVNULL = subprocess.DEVNULL
PIPE = subprocess.PIPE
# What a busy machine may add to the time that can be computed.
SLACK = 15.0


@dataclass(frozen=True, slots=True)
class Program:
    """What is run.

    Attributes:
        argv: Its command line.
        ends: Whether it ends by itself, left alone.
        expected: All that it may write to stdout, where that is known.
        alone: Whether it has no descendants.
        escapes: Whether descendants may leave its session.
    """

    argv: tuple[str, ...]
    ends: bool
    expected: Callable[[], bytes] | None = None
    alone: bool = True
    escapes: bool = False


def _simple(dice: Random) -> Program:
    size = dice.choice([0, 10, 65536, 300_000])
    return dice.choice(
        [
            Program(("/bin/true",), ends=True, expected=lambda: b""),
            Program(("/bin/cat", "/dev/zero"), ends=False, expected=lambda: bytes(8 << 20)),
            Program(sh("kill -STOP $$"), ends=False),
            Program(sh("trap '' TERM; echo ready; while :; do read x; done"), ends=False),
            Program(sh("exec >&- 2>&- <&-; while :; do :; done"), ends=False),
            Program(sh("trap 'echo bye; exit 3' TERM; echo ready; kill -STOP $$"), ends=False),
            Program(child("fill_stdout", size), ends=True, expected=lambda: pattern(size)),
            Program(
                child("term_writes", size),
                ends=False,
                expected=lambda: b"ready\n" + pattern(size),
            ),
            Program(child("ignore_term"), ends=False, expected=lambda: b"ready\n"),
            Program(child("close_pipes_and_live"), ends=False, expected=lambda: b"ready\n"),
            Program(("/nonexistent/program",), ends=True),
        ]
    )


def _family(dice: Random) -> Program:
    ends = dice.random() < 0.4
    if dice.random() < 0.3:
        script = dice.choice(
            [
                "sleep 100 & sleep 100 & {}",
                "(trap '' TERM; sleep 100 & wait) & {}",
                "(kill -STOP $(exec sh -c 'echo $PPID')) & {}",
                "cat /dev/zero & {}",
                "sh -c 'sleep 100 & sleep 100' & {}",
            ]
        )
        return Program(sh(script.format("echo x" if ends else "wait")), ends=ends, alone=False)
    options = [name for name in ("escape",) if dice.random() < 0.4]
    argv = child("tree", dice.randrange(10_000), dice.choice([1, 1, 2]), *options)
    argv += ("exit",) if ends else ()
    return Program(argv, ends=ends, alone=False, escapes=bool(options))


@dataclass(slots=True)
class Life:
    """One run: what it is, what happens to it, and what came of it.

    Attributes:
        program: What is run.
        options: How.
        door: `spawn`, `nursery`, `block` or `background`.
        end: What ends it: `itself`, `cancel`, `error` or `stop`.
        moment: When, in seconds from the start.
        cookie: What its processes carry in their environment.
        output: How it went, if the door tells.
        raised: What came out of the door.
        lasted: How long it took, in seconds.
    """

    program: Program
    options: SpawnOptions
    door: str
    end: str
    moment: float
    cookie: str
    output: Output | None = field(default=None, repr=False)
    raised: BaseException | None = None
    lasted: float = 0.0
    teed: list[bytes] = field(default_factory=list, repr=False)

    @property
    def bound(self) -> float:
        """How long it may take at the most, a busy machine aside."""
        ways_out = [self.moment] if self.end != "itself" else []
        if self.options.timeout is not None:
            ways_out.append(self.options.timeout)
        start = min(ways_out) if ways_out else 0.0
        # Lingering after early_exit or overflow, the grace, and the draining.
        return start + 3 * self.options.kill_grace + (self.options.drain_grace or 0.0)

    @property
    def ended_by_itself(self) -> bool:
        """Whether it has ended without a signal of ours."""
        shutdown = None if self.output is None else self.output.shutdown
        return self.output is not None and (shutdown is None or not shutdown.signals)

    async def live(self) -> None:
        """Go through it."""
        started = trio.current_time()
        try:
            await getattr(self, f"_{self.door}")()
        except (OutputLimitError, _Planned) as exc:
            self.raised = exc
            self.output = getattr(exc, "output", self.output)
        except CoreError as exc:
            self.raised = exc
        self.lasted = trio.current_time() - started

    async def _spawn(self) -> None:
        with trio.move_on_after(self.moment if self.end == "cancel" else float("inf")):
            self.output = await spawn(self.options)

    async def _background(self) -> None:
        self.output = await spawn(self.options)

    async def _nursery(self) -> None:
        holder: list[RunningProcess] = []
        try:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    if self.end == "cancel":
                        scope.deadline = trio.current_time() + self.moment
                    running = await nursery.start(spawn, self.options)
                    holder.append(running)
                    nursery.start_soon(_read, running)
                    if self.end in {"stop", "error"}:
                        await trio.sleep(self.moment)
                        if self.end == "error":
                            raise _Planned
                        await running.stop()
                    await running.wait()
                    # Someone who has escaped may hold the pipe for ever.
                    nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            # A child that is ended for an error may have one of its own.
            raise group.exceptions[0] from None
        finally:
            for running in holder:
                self.output = running.output
                _close(running)

    async def _block(self) -> None:
        holder: list[RunningProcess] = []
        try:
            with trio.CancelScope() as scope:
                if self.end == "cancel":
                    scope.deadline = trio.current_time() + self.moment
                async with spawn_start(self.options) as running:
                    holder.append(running)
                    if self.end == "error":
                        await trio.sleep(self.moment)
                        raise _Planned
                    if self.end == "cancel" and self.moment < 0.02:
                        await trio.sleep_forever()
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(_read, running)
                        if self.end == "stop":
                            await trio.sleep(self.moment)
                            await running.stop()
                        await running.wait()
                        nursery.cancel_scope.cancel()
        finally:
            for running in holder:
                self.output = running.output


class _Planned(Exception):  # noqa: N818 - not an error
    """What the body of a block raises."""


async def _read(running: RunningProcess) -> None:
    if running.stdin is not None:
        await running.stdin.aclose()
    if running.stdout is not None:
        try:
            while await running.stdout.receive_some():
                pass
        except trio.ClosedResourceError:
            pass


def _close(running: RunningProcess) -> None:
    for stream in (running.stdin, running.stdout, running.stderr):
        if stream is not None:
            stream.close()


def _streams(dice: Random, door: str, life: list[bytes]) -> dict[str, Any]:
    async def sink(chunk: bytes) -> None:
        life.append(chunk)
        await trio.sleep(dice.choice([0, 0, 0.001]))

    if door == "background":
        return {"stdout": DEVNULL, "stderr": DEVNULL}
    streams: dict[str, Any] = {"stderr": DEVNULL}
    match dice.choice(["capture", "capture", "both", "sink", "pipe", "none"]):
        case "capture":
            streams["capture_stdout"] = True
        case "both":
            streams |= {"capture_stdout": True, "stdout_sink": sink, "capture_stderr": True}
            del streams["stderr"]
        case "sink":
            streams["stdout_sink"] = sink
        case "pipe" if door in {"nursery", "block"}:
            streams |= {"stdout": PIPE, "stdin": PIPE}
        case _:
            streams["stdout"] = DEVNULL
    if "capture_stdout" in streams:
        streams["max_output"] = dice.choice([1 << 20, 1 << 20, 1000])
        streams["overflow"] = dice.choice(list(OverflowPolicy))
    if ("capture_stdout" in streams or "stdout_sink" in streams) and dice.random() < 0.2:
        streams["early_exit"] = dice.choice([b"ready", lambda chunk: b"q" in chunk])
    if "stdin" not in streams and dice.random() < 0.2:
        streams["stdin"] = bytes(dice.choice([1, 200_000]))
    return streams


def random_life(dice: Random, backend: SpawnBackend, cookie: str) -> Life:
    """Return a run that has not begun."""
    door = dice.choice(["spawn", "spawn", "nursery", "block", "block", "background"])
    program = _simple(dice) if door == "background" or dice.random() < 0.5 else _family(dice)
    leaders = [ProcessGroup(leader=0), ProcessGroup(leader=0, sweep=False)]
    if backend is not SpawnBackend.POSIX_SPAWN:
        leaders += [ProcessGroup(isolated=True), ProcessGroup(isolated=True, sweep=False)]
    # Of a family only a group of its own can be brought to an end.
    pgroup = dice.choice([*leaders, ProcessGroup()] if program.alone else leaders)
    policy = dice.choice(list(CancelPolicy))
    if not program.ends and (policy is CancelPolicy.NONE or door == "background"):
        policy = CancelPolicy.GRACEFUL
        program = program if door != "background" else Program(("/bin/true",), ends=True)
    ends = {"spawn": ["cancel"], "background": ["itself"]}.get(door, ["cancel", "error", "stop"])
    if program.ends and pgroup.sweep:
        ends = [*ends, "itself"]
    teed: list[bytes] = []
    streams = _streams(dice, door, teed)
    if not pgroup.sweep and policy is CancelPolicy.NONE:
        policy = CancelPolicy.KILL
    timeout = dice.choice([None, None, dice.random() * 0.08])
    options = SpawnOptions(
        program.argv,
        backend=backend,
        env=child_env(**{COOKIE: cookie}),
        pgroup=pgroup,
        cancel=policy,
        kill_grace=dice.choice([0.0, 0.02, 0.1]),
        drain_grace=dice.choice([0.0, 0.05]),
        timeout=None if door == "background" else timeout,
        wait=door != "background",
        **streams,
    )
    life = Life(program, options, door, dice.choice(ends), dice.random() * 0.08, cookie)
    life.teed = teed
    return life
