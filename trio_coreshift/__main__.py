"""``python -m trio_coreshift``: hands the process over to `_cli`."""

import signal
import sys

from ._cli import main

if __name__ == "__main__":
    # Inherited as ignored, it would make the kernel throw the program's status away (wait(2)).
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    sys.exit(main())
