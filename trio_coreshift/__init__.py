"""Starts programs on Linux and owns them until nothing of them is left, under trio's rules.

The layers, each of which knows only those below it (import-linter holds them apart):

- the doors: `_spawn`, and `_cli` on top of it;
- trio: `_supervise` (the one owner of a child), what it is made of, and `_launch`;
- the kernel, synchronous, without trio: `_backends` and `_kernel`;
- values, without the kernel: `_options`, `_output`, `_policy`, `_status`, `_errors`, the state
  machine `_escalate`, and what is done to bytes.
"""

from ._errors import CoreError as CoreError
from ._errors import ExitStatusError as ExitStatusError
from ._errors import OutputLimitError as OutputLimitError
from ._errors import ProcessAbandonedError as ProcessAbandonedError
from ._options import SpawnOptions as SpawnOptions
from ._output import Output as Output
from ._output import ResourceUsage as ResourceUsage
from ._output import Shutdown as Shutdown
from ._output import ShutdownReason as ShutdownReason
from ._output import SignalSent as SignalSent
from ._policy import Allowlist as Allowlist
from ._policy import CancelPolicy as CancelPolicy
from ._policy import CloexecOnly as CloexecOnly
from ._policy import CloseFrom3 as CloseFrom3
from ._policy import OverflowPolicy as OverflowPolicy
from ._policy import ProcessGroup as ProcessGroup
from ._policy import SpawnBackend as SpawnBackend
from ._policy import SpawnFdPolicy as SpawnFdPolicy
from ._process import Process as Process
from ._running import RunningProcess as RunningProcess
from ._spawn import spawn as spawn
from ._spawn import spawn_start as spawn_start
from ._status import Exited as Exited
from ._status import ExitStatus as ExitStatus
from ._status import Signaled as Signaled
from ._status import Unknown as Unknown
from ._util import fixup_module_metadata

fixup_module_metadata(__name__, globals())
del fixup_module_metadata
