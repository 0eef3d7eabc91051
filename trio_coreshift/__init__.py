"""Starts programs on Linux and owns them until nothing of them is left, under trio's rules.

The layers, each of which knows only those below it (import-linter holds them apart):

- the doors: `_spawn`, and `_cli` on top of it;
- trio: `_supervise` (the one owner of a child), what it is made of, and `_launch`;
- the kernel, synchronous, without trio: `_backends` and `_kernel`;
- values, without the kernel: `_options`, `_output`, `_policy`, `_status`, `_errors`, the state
  machine `_escalate`, and what is done to bytes.
"""

from ._errors import (
    CoreError as CoreError,
    ExitStatusError as ExitStatusError,
    OutputLimitError as OutputLimitError,
    ProcessAbandonedError as ProcessAbandonedError,
)
from ._options import SpawnOptions as SpawnOptions
from ._output import (
    Output as Output,
    ResourceUsage as ResourceUsage,
    Shutdown as Shutdown,
    ShutdownReason as ShutdownReason,
    SignalSent as SignalSent,
)
from ._policy import (
    Allowlist as Allowlist,
    CancelPolicy as CancelPolicy,
    CloexecOnly as CloexecOnly,
    CloseFrom3 as CloseFrom3,
    OverflowPolicy as OverflowPolicy,
    ProcessGroup as ProcessGroup,
    SpawnBackend as SpawnBackend,
    SpawnFdPolicy as SpawnFdPolicy,
)
from ._process import Process as Process
from ._running import RunningProcess as RunningProcess
from ._spawn import spawn as spawn, spawn_start as spawn_start
from ._status import (
    Exited as Exited,
    ExitStatus as ExitStatus,
    Signaled as Signaled,
    Unknown as Unknown,
)
from ._util import fixup_module_metadata

fixup_module_metadata(__name__, globals())
del fixup_module_metadata
