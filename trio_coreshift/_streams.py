"""All the pipes of one child that are ours to read and feed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._capture import Capture, Intake, OutputBudget
from ._kernel.fds import duplicate
from ._kernel.pipes import PipeFeeder, PipeReader
from ._kernel.poller import READ, WRITE
from ._sinks import SinkPump

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio.lowlevel import FdStream

    from ._kernel.poller import Poller
    from ._launch import Launch
    from ._options import SpawnOptions


class ChildStreams:
    """Captures, feeds, tees and discards.

    Attributes:
        budget: What may still be kept.
        pumps: The tees; each wants a task of its own.
    """

    __slots__ = (
        "_discarded",
        "_feeder",
        "_intakes",
        "_poller",
        "_readers",
        "_stdout_end",
        "budget",
        "pumps",
    )

    def __init__(self, launch: Launch) -> None:
        options = launch.options
        self.budget = OutputBudget(options.max_output)
        self.pumps: list[SinkPump] = []
        self._poller: Poller = launch.poller
        self._readers: dict[PipeReader, Intake] = {}
        self._discarded: list[PipeReader] = []
        self._feeder: PipeFeeder | None = None
        self._stdout_end: PipeReader | SinkPump | None = None
        self._intakes = _intakes(options, self.budget)

    def adopt(
        self,
        launch: Launch,
        *,
        changed: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Take over the pipes of ``launch`` that are ours, and watch them.

        Args:
            launch: Whose pipes they are.
            changed: Called by a tee when there is something to be looked at.
            failed: Called by a tee with the exception of a callback.

        Raises:
            OSError: One cannot be watched. It is closed, the others are watched.
        """
        if not launch.stdio.has_pipes:
            return
        # A pipe that is left alone for the failure of another would hold the child up for ever.
        try:
            self._adopt_stdin(launch)
        finally:
            try:
                self._adopt_stdout(launch, changed, failed)
            finally:
                self._adopt_stderr(launch, changed, failed)

    def _adopt_stdin(self, launch: Launch) -> None:
        stdio = launch.stdio
        if isinstance(launch.options.stdin, bytes) and stdio.stdin is not None:
            fd, stdio.stdin = stdio.stdin, None
            self._feeder = PipeFeeder(fd, launch.stdin_rest)
            self._watch(self._feeder, WRITE, self._feed)

    def _adopt_stdout(
        self, launch: Launch, changed: Callable[[], None], failed: Callable[[BaseException], None]
    ) -> None:
        options, stdio = launch.options, launch.stdio
        if options.capture_stdout or options.stdout_sink is not None:
            assert stdio.stdout is not None
            fd, stdio.stdout = stdio.stdout, None
            if options.stdout_sink is None:
                self._stdout_end = self._read(fd, self._intakes[0])
            else:
                self._stdout_end = SinkPump(
                    fd, self._intakes[0], options.stdout_sink, changed=changed, failed=failed
                )
                self.pumps.append(self._stdout_end)

    def _adopt_stderr(
        self, launch: Launch, changed: Callable[[], None], failed: Callable[[BaseException], None]
    ) -> None:
        options, stdio = launch.options, launch.stdio
        if options.capture_stderr or options.stderr_sink is not None:
            assert stdio.stderr is not None
            fd, stdio.stderr = stdio.stderr, None
            if options.stderr_sink is None:
                self._read(fd, self._intakes[1])
            else:
                self.pumps.append(
                    SinkPump(
                        fd, self._intakes[1], options.stderr_sink, changed=changed, failed=failed
                    )
                )

    def _read(self, fd: int, intake: Intake) -> PipeReader:
        reader = PipeReader(fd, intake.take)

        def read() -> None:
            if reader.fd is not None and reader.read_some():
                intake.complete = True
                self._drop(reader)

        self._watch(reader, READ, read)
        self._readers[reader] = intake
        return reader

    def _watch(self, end: PipeReader | PipeFeeder, event: int, handler: Callable[[], None]) -> None:
        assert end.fd is not None
        try:
            self._poller.add(end.fd, event, handler)
        except OSError:
            # Nobody would ever read it, or close it.
            end.close()
            raise

    def _feed(self) -> None:
        if self._feeder is not None and self._feeder.fd is not None and self._feeder.write_some():
            self._close_stdin()

    def _drop(self, reader: PipeReader) -> None:
        if reader.fd is not None:
            self._poller.remove(reader.fd)
            reader.close()
            self._readers.pop(reader, None)

    @property
    def done(self) -> bool:
        """Whether every pipe that is collected is closed."""
        if not self.pumps:
            return not self._readers
        return not self._readers and all(pump.done for pump in self.pumps)

    @property
    def fed(self) -> bool:
        """Whether there is nothing more to be written to stdin."""
        return self._feeder is None or self._feeder.fd is None

    @property
    def matched(self) -> bool:
        """Whether ``early_exit`` has matched."""
        return self._intakes[0].matched

    @property
    def ready(self) -> bool:
        """Whether the pattern of ``ready`` was seen in either stream."""
        stdout, stderr = self._intakes
        return stdout.ready or stderr.ready

    @property
    def complete(self) -> bool:
        """Whether every captured stream was read to its end."""
        stdout, stderr = self._intakes
        return (stdout.complete or not stdout.captured) and (stderr.complete or not stderr.captured)

    def captured(self) -> tuple[bytes, bytes]:
        """What was kept of stdout and of stderr."""
        stdout, stderr = self._intakes
        return stdout.value(), stderr.value()

    def child_ended(self) -> None:
        """Stop feeding; whoever else may hold the pipe is not who the input was for."""
        self._close_stdin()

    def _close_stdin(self) -> None:
        if self._feeder is not None and self._feeder.fd is not None:
            self._poller.remove(self._feeder.fd)
            self._feeder.close()

    def close_stdout(self) -> None:
        """Stop reading stdout: a child that goes on writing gets SIGPIPE."""
        match self._stdout_end:
            case PipeReader() as reader:
                self._drop(reader)
            case SinkPump() as pump:
                pump.close()
            case None:
                pass

    def close_outputs(self) -> None:
        """Stop reading at all."""
        for reader in list(self._readers):
            self._drop(reader)
        for pump in self.pumps:
            pump.close()

    def finish(self) -> None:
        """Take what is in the pipes now and close them; someone else holds their other ends."""
        for reader, intake in list(self._readers.items()):
            intake.complete = reader.read_rest()
            self._drop(reader)
        for pump in self.pumps:
            pump.finish()

    def limit_sinks(self, grace: float) -> None:
        """Bound every call of a sink, now that the end is decided."""
        for pump in self.pumps:
            pump.limit_calls(grace)

    def discard(self, stream: FdStream) -> None:
        """Read the caller's pipe to nowhere, until `stop_discarding` or the caller closes it.

        Raises:
            OSError: It cannot be watched.
        """
        # A duplicate: the caller's own may be closed, and its number used again, at any time.
        reader = PipeReader(duplicate(stream.fileno(), "discard dup"), _nowhere)

        def read() -> None:
            # Closed if, in the same turn, the child was seen to have ended. Where the caller has
            # closed it, a child that goes on writing gets SIGPIPE, as it would have without us.
            if reader.fd is not None and (stream.fileno() < 0 or reader.read_some()):
                self._drop(reader)

        self._watch(reader, READ, read)
        self._discarded.append(reader)

    def stop_discarding(self) -> None:
        """Leave the caller's pipes alone again."""
        for reader in self._discarded:
            self._drop(reader)
        self._discarded.clear()

    def close(self) -> None:
        """Close every pipe of ours."""
        self.stop_discarding()
        self._close_stdin()
        self.close_outputs()


# Stands for a stream that is not ours to read, so nothing ever changes it.
_NOT_READ: Final = Intake()


def _nowhere(_chunk: bytes) -> None:
    pass


def _intakes(options: SpawnOptions, budget: OutputBudget) -> tuple[Intake, Intake]:
    pattern = options.ready if isinstance(options.ready, bytes) else None
    stdout = stderr = _NOT_READ
    if options.capture_stdout or options.stdout_sink is not None:
        stdout = Intake(
            Capture(budget) if options.capture_stdout else None, options.early_exit, pattern
        )
    if options.capture_stderr or options.stderr_sink is not None:
        stderr = Intake(Capture(budget) if options.capture_stderr else None, None, pattern)
    return stdout, stderr
