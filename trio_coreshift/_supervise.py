"""The one owner of a child: its exit, its group, its pipes and its deadlines, to the end.

A `Supervisor` is one loop in one task. It waits for the next event (a descriptor of its poller, a
deadline, a word from another task), takes it in, and lets `Ending` and `ChildStreams` do what
follows. Nothing else signals, reaps or reads, so the order of things is certain.

What else may run, and only if asked for: a task for each sink, one for an async ``ready``, a thread
where there is no pidfd. They report here and are ended from here.

`Supervisor.run` raises nothing until it is over: whatever hits the loop (Cancelled, Ctrl+C, the
exception of a callback, a fault of ours) is kept, has the policy applied, and comes out of
`result`.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

from ._ending import Ending
from ._errors import ProcessAbandonedError, invalid
from ._exit_watch import ExitWatch
from ._hand_over import HandOver
from ._kernel.fds import close_all
from ._kernel.poller import LOOK_AGAIN, NO_ROOM, READ
from ._outcome import Outcome, is_cancellation
from ._output import Output, ShutdownReason
from ._policy import OverflowPolicy
from ._reaper import destroy, reap_in_background
from ._signals import log
from ._status import describe_status
from ._streams import ChildStreams
from ._unread import UnreadStreams

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._launch import Launch
    from ._policy import CancelPolicy
    from ._running import RunningProcess

# More faults of our own than this in one run, and it is ended without any more ado.
_MAX_FAULTS = 3


class Supervisor:
    """Owns one launched child.

    Args:
        launch: The child and what belongs to it.
        on_started: Called with the caller's handle once the program runs and is ready.
        shielded: Whether the task that runs this is not the one whose cancellation counts.

    Attributes:
        outcome: What is known of how it goes.
        on_failure: Called when something of the caller's or of ours fails while it runs.
    """

    # What most runs never change stands here, so that a spawn does not pay for it.
    on_failure: Callable[[], object] | None = None
    _bell: trio.Event | None = None
    _done: trio.Event | None = None
    _early_exited = False
    _end_seen = False
    _faults = 0
    _finished_streams = False
    _hand_over: HandOver | None = None
    _interruptions = 0
    _nursery: trio.Nursery | None = None
    _poked = False
    _over = False
    _runs = False
    _timed_out = False
    _timeout_at = math.inf
    _unread: UnreadStreams | None = None
    _waiting_on: int | None = None

    def __init__(
        self,
        launch: Launch,
        *,
        on_started: Callable[[RunningProcess], object] | None = None,
        shielded: bool = False,
    ) -> None:
        self.outcome = Outcome()
        self._options = launch.options
        self._launch = launch
        self._child = launch.child
        self._poller = launch.poller
        self._shielded = shielded
        self._exit = ExitWatch(launch.child, launch.poller)
        self._ending = Ending(launch.options, launch.child, launch.poller, launch.started)
        if launch.options.timeout is not None:
            self._timeout_at = launch.started + launch.options.timeout
        if on_started is not None:
            self._hand_over = HandOver(launch, on_started)
        self._inbox: list[Callable[[], None]] = []
        self._streams = ChildStreams(launch)

    # What other tasks may call.

    def wake(self) -> None:
        """Make the loop look at everything again."""
        self._poked = True
        if self._waiting_on is not None:
            trio.lowlevel.notify_closing(self._waiting_on)
        elif self._bell is not None:
            self._bell.set()

    def stop(self, policy: CancelPolicy | None) -> None:
        """Apply a policy for `RunningProcess.stop`."""
        if not self._options.wait:
            raise invalid("stop needs wait")
        self._post(lambda: self._apply(ShutdownReason.STOP, policy))

    def interrupt(self, exc: BaseException) -> None:
        """``exc`` has hit whoever waits for the child: apply the policy; again: SIGKILL."""
        self._post(lambda: self._interrupted(exc))

    def _interrupted(self, exc: BaseException) -> None:
        self._interruptions += 1
        cancelled = is_cancellation(exc)
        reason = ShutdownReason.CANCELLED if cancelled else ShutdownReason.ERROR
        if self._interruptions == 1:
            self._apply(reason)
        elif not cancelled:
            self._ending.kill(reason, trio.current_time())

    def fail(self, exc: BaseException) -> None:
        """Something of the caller's has raised: it comes out at the end, after the policy."""
        self.outcome.keep(exc)
        self._post(lambda: self._apply(ShutdownReason.ERROR))
        if self.on_failure is not None:
            self.on_failure()

    def abandon_streams(self, *, at_once: bool) -> None:
        """Nobody is left to read the caller's pipes, or (not ``at_once``) perhaps nobody."""
        self._post(lambda: self._abandon_streams(at_once=at_once))

    def _abandon_streams(self, *, at_once: bool) -> None:
        hand_over = self._hand_over
        if hand_over is None or hand_over.running is None or self._child.status is not None:
            return
        if self._unread is None:
            self._unread = UnreadStreams(self._streams)
        at_once = at_once or not hand_over.done
        self._unread.abandon(hand_over.running, trio.current_time(), at_once=at_once)

    def _post(self, act: Callable[[], None]) -> None:
        # Done by the loop, where a fault in it is taken care of, and not by whoever asks.
        self._inbox.append(act)
        self.wake()

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return self._over

    @property
    def output(self) -> Output | None:
        """How it went; None until it is over."""
        return self.outcome.output

    @property
    def handed_over(self) -> bool:
        """Whether the handle has reached whoever waits for it, if somebody does."""
        return self._hand_over is None or self._hand_over.done

    @property
    def io_done(self) -> bool:
        """Whether every pipe of ours is closed."""
        return self._streams.done and self._streams.fed

    async def wait(self) -> Output:
        """Wait until it is over."""
        await self.wait_done()
        assert self.output is not None
        if self._ending.abandoned:
            raise ProcessAbandonedError(self.output)
        return self.output

    async def wait_done(self) -> None:
        """Wait until it is over, however it went."""
        if self._done is None:
            self._done = trio.Event()
            if self._over:
                self._done.set()
        await self._done.wait()

    def result(self) -> Output:
        """Return or raise what `spawn` does; the outcome of `run`."""
        return self.outcome.tell(self._options)

    # The loop.

    @enable_ki_protection
    async def run(self) -> None:
        """Own the child until nothing of it is left."""
        options = self._options
        try:
            if options.sunk or callable(options.ready):
                await self._loop_with_tasks()
            else:
                await self._loop()
        finally:
            self._finish()

    async def _loop_with_tasks(self) -> None:
        try:
            async with trio.open_nursery() as self._nursery:
                await self._loop()
        except BaseExceptionGroup as group:
            # The tasks raise nothing, so this is a Ctrl+C that has hit the nursery's last step.
            self.outcome.keep(group.exceptions[0])

    async def _loop(self) -> None:
        step = self._begin
        while True:
            try:
                step()
            except BaseException as exc:  # noqa: BLE001 - it is kept, and ends the child
                self._fault(exc)
            step = self._take_in
            if self._is_over():
                return
            try:
                await self._wait_for_event()
            except GeneratorExit:
                # The loop of trio itself has gone down: there will be no other turn.
                destroy(self._child, self._ending.target)
                raise
            except BaseException as exc:  # noqa: BLE001 - it is kept, and raised when it is over
                self.outcome.keep(exc)
                self.interrupt(exc)
                # Readers in the same scope are gone; others may be there.
                self.abandon_streams(at_once=False)

    async def _wait_for_event(self) -> None:
        if self._poked:
            return
        deadline = self._deadline()
        shielded = self._shielded or self._interruptions > 0
        if deadline != math.inf and deadline <= trio.current_time():
            return
        self._waiting_on = self._poller.fd
        if self._waiting_on is None:
            self._bell = trio.Event()
            event = self._bell.wait()
        else:
            event = trio.lowlevel.wait_readable(self._waiting_on)  # noqa: ASYNC105 - just below
        try:
            if deadline == math.inf and not shielded:
                await event
            else:
                with trio.CancelScope(deadline=deadline, shield=shielded):
                    await event
        except trio.ClosedResourceError:
            pass  # `wake`
        except OSError as exc:
            if exc.errno not in NO_ROOM:
                raise
            with trio.CancelScope(shield=shielded):
                await trio.sleep(LOOK_AGAIN)
        finally:
            self._waiting_on = None

    def _deadline(self) -> float:
        if self._faults >= _MAX_FAULTS:
            return math.inf
        deadline = min(self._timeout_at, self._ending.deadline, self._exit.look_at())
        if self._ending.settled_at is not None:
            deadline = min(deadline, self._drain_deadline())
        if self._unread is not None:
            deadline = min(deadline, self._unread.look_at)
        return deadline

    def _drain_deadline(self) -> float:
        settled_at = self._ending.settled_at
        if settled_at is None or self._finished_streams or self._streams.done:
            return math.inf
        applied_at = self._ending.applied_at
        if applied_at is not None:
            return max(settled_at, applied_at) + self._options.kill_grace
        grace = self._options.drain_grace
        return math.inf if grace is None else settled_at + grace

    def _begin(self) -> None:
        # Each step, whatever becomes of the others: where the exit cannot be watched (no memory in
        # the kernel), the pipes must be read and the group be known to the policy all the same.
        try:
            self._exit.begin(self.wake)
        finally:
            try:
                self._streams.adopt(self._launch, changed=self.wake, failed=self.fail)
            finally:
                if self._nursery is not None:
                    for pump in self._streams.pumps:
                        self._nursery.start_soon(pump.run)
                self._watch_launch()
        self._log_start()
        self._offer()

    def _watch_launch(self) -> None:
        if self._launch.error_pipe is None:
            self._program_runs(self._launch.started)
        else:
            self._poller.add(self._launch.error_pipe.fd, READ, self._read_report)

    def _take_in(self) -> None:
        self._poked = False
        if self._faults >= _MAX_FAULTS:
            return
        while self._inbox:
            self._inbox.pop(0)()
        now = trio.current_time()
        self._exit.look()
        self._notice_end(now)
        for handler in self._poller.ready():
            handler()
            # At once: what else has become ready since the end is none of the child's doing.
            self._notice_end(now)
        self._check_collected()
        self._offer()
        if now >= self._timeout_at and not self._is_over():
            self._timeout_at = math.inf
            self._timed_out = True
            self._apply(ShutdownReason.TIMEOUT)
        if (now >= self._ending.deadline or self._ending.look_again) and self._ending.tick(now):
            self._policy_applied()
        if now >= self._drain_deadline() or self._ending.abandoned:
            # Where a predicate of the caller's raises, once, this is done again.
            self._streams.finish()
            self._finished_streams = True
            self._check_collected()
            self._offer()
        if self._unread is not None and now >= self._unread.look_at:
            self._unread.look(now)

    def _notice_end(self, now: float) -> None:
        if self._exit.seen and not self._end_seen:
            self._end_seen = True
            self._ended(now)

    def _ended(self, now: float) -> None:
        try:
            if self._hand_over is not None:
                self._hand_over.tell_exit()
            if self._launch.error_pipe is not None:
                self._read_report()
            self._streams.child_ended()
            if self._unread is not None:
                self._unread.stop()
            self._end_ready()
        finally:
            # Whatever happens, it is from here on that the end is seen.
            self._ending.settle(now)

    def _read_report(self) -> None:
        error_pipe = self._launch.error_pipe
        if error_pipe is None:
            return  # the exit or a policy, in the same turn, has led here before
        try:
            self.outcome.launch_error = error_pipe.read()
        except BlockingIOError:
            if not self._exit.seen:
                return
            # It has ended without a word, and the pipe is still open: a fork elsewhere in this
            # process has a copy. A child that could not run would have said so.
        self._poller.remove(error_pipe.fd)
        self._launch.error_pipe = None
        close_all((error_pipe.fd,))
        if self.outcome.launch_error is None:
            self._program_runs(trio.current_time())

    def _program_runs(self, now: float) -> None:
        self._runs = True
        self._ending.form_group(now)
        if self._hand_over is not None:
            self._hand_over.make(self)
            if callable(self._options.ready) and self._nursery is not None:
                self._hand_over.begin_ready()
                self._nursery.start_soon(self._run_ready, self._hand_over)
        if self._ending.applied_at is not None:
            self._policy_applied()
        if self._interruptions:
            self._abandon_streams(at_once=True)  # nobody will ever be given them

    async def _run_ready(self, hand_over: HandOver) -> None:
        await hand_over.run_ready(changed=self.wake, failed=self.fail)

    def _end_ready(self) -> None:
        if self._hand_over is not None:
            self._hand_over.end_ready()

    @property
    def _in_ready(self) -> bool:
        return self._hand_over is not None and self._hand_over.in_ready

    def _offer(self) -> None:
        if self._hand_over is not None and not self._interruptions:
            self._hand_over.ready = self._hand_over.ready or self._streams.ready
            self._hand_over.offer(shielded=self._shielded)

    def _check_collected(self) -> None:
        reason = None
        streams = self._streams
        if streams.matched and not self._early_exited:
            self._early_exited = True
            streams.close_stdout()
            reason = ShutdownReason.EARLY_EXIT
        if streams.budget.overflowed and self._options.overflow is OverflowPolicy.STOP:
            streams.close_outputs()
            reason = reason or ShutdownReason.OVERFLOW
        if reason is not None:
            self._ending.linger(reason, trio.current_time())

    def _apply(self, reason: ShutdownReason, policy: CancelPolicy | None = None) -> None:
        if self._launch.error_pipe is not None:
            self._read_report()  # so that, if the program runs, its group is signalled
        # The signal first: closing a pipe first could make the child die of SIGPIPE instead.
        self._ending.apply(reason, trio.current_time(), policy)
        self._policy_applied()

    def _policy_applied(self) -> None:
        if self._hand_over is not None:
            self._hand_over.close_stdin()
        self._streams.limit_sinks(self._options.kill_grace)
        self._end_ready()

    def _fault(self, exc: BaseException) -> None:
        self.outcome.keep(exc)
        self._faults += 1
        self._poked = True
        self._ending.look_again = self._exit.seen
        try:
            if self._faults == 1:
                self._apply(ShutdownReason.ERROR)
            else:
                self._ending.kill(ShutdownReason.ERROR, trio.current_time())
            if self.on_failure is not None:
                self.on_failure()
        except BaseException:  # noqa: BLE001 - the first one is what is raised
            self._faults = _MAX_FAULTS
        if self._faults >= _MAX_FAULTS:
            self._give_up()

    def _give_up(self) -> None:
        # Nothing is looked at any more: all that may still be waited for is the end of sinks.
        self._poked = False
        self._do_all(
            lambda: destroy(self._child, self._ending.target),
            self._streams.close,
            lambda: self._streams.limit_sinks(self._options.kill_grace),
            self._end_ready,
            self._poller.close,
        )

    def _do_all(self, *acts: Callable[[], None]) -> None:
        for act in acts:
            try:
                act()
            except BaseException as exc:  # noqa: BLE001 - what comes after it is done all the same
                self.outcome.keep(exc)

    def _is_over(self) -> bool:
        ending = self._ending
        if ending.settled_at is None and not ending.abandoned and self._faults < _MAX_FAULTS:
            return self._detached
        return self._streams.done and not self._in_ready

    @property
    def _detached(self) -> bool:
        return not self._options.wait and self._runs and self._ending.applied_at is None

    def _finish(self) -> None:
        self._do_all(
            self._streams.close,
            self._ending.close,
            self._close_descriptors,
            self._build_output,
            self._leave_child,
            self._log_end,
        )
        self._over = True
        if self._done is not None:
            self._done.set()

    def _close_descriptors(self) -> None:
        launch = self._launch
        self._poller.close()
        if launch.error_pipe is not None:
            close_all((launch.error_pipe.fd,))
        launch.stdio.close()
        if self._hand_over is not None:
            self._hand_over.close_unclaimed()

    def _leave_child(self) -> None:
        if self._child.status is None:
            reap_in_background(self._child, self._tell_exit)
        else:
            self._tell_exit()
            self._child.close()

    def _tell_exit(self) -> None:
        if self._hand_over is not None:
            self._hand_over.tell_exit()

    def _build_output(self) -> None:
        outcome, streams, ending, child = self.outcome, self._streams, self._ending, self._child
        stdout, stderr = streams.captured()
        outcome.abandoned = ending.abandoned
        outcome.overflowed = streams.budget.overflowed
        outcome.ready = self._hand_over is None or self._hand_over.ready
        detached = self._detached
        outcome.output = Output(
            pid=child.pid,
            program=self._options.program,
            status=None if detached else child.status,
            stdout=stdout,
            stderr=stderr,
            timed_out=self._timed_out,
            stdout_early_exited=self._early_exited,
            truncated=outcome.overflowed,
            complete=streams.complete,
            duration=trio.current_time() - self._launch.started,
            usage=None if detached else child.usage,
            shutdown=ending.shutdown(),
        )

    def _log_start(self) -> None:
        if log.isEnabledFor(logging.DEBUG):
            options, pid = self._options, self._child.pid
            log.debug("%s: started as process %d by %s", options.program, pid, options.backend.name)

    def _log_end(self) -> None:
        if self._ending.abandoned:
            what = "it" if self._child.status is None else "its group"
            name, pid = self._options.program, self._child.pid
            log.warning("%s: process %d is abandoned: %s did not end", name, pid, what)
        elif log.isEnabledFor(logging.DEBUG) and self.output is not None:
            how = describe_status(self.output.status)
            log.debug("%s: process %d %s", self._options.program, self._child.pid, how)
