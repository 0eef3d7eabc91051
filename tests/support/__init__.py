"""What test modules share: helper programs, reading from them, /proc, and the leak guard."""

from tests.support import leaks as leaks, procfs as procfs
from tests.support.leaks import kill_live as kill_live
from tests.support.pipes import (
    Channel as Channel,
    read_all as read_all,
    read_exactly as read_exactly,
    read_line as read_line,
)
from tests.support.procfs import (
    ProcessInfo as ProcessInfo,
    SignalSets as SignalSets,
    fd_table as fd_table,
    group_members as group_members,
    live_with_cookie as live_with_cookie,
    process_info as process_info,
    session_members as session_members,
    signal_sets as signal_sets,
)
from tests.support.programs import (
    SIGNAL_REPORT as SIGNAL_REPORT,
    bare_env as bare_env,
    child as child,
    child_env as child_env,
    pattern as pattern,
    sh as sh,
)
from tests.support.waiting import (
    gone as gone,
    until as until,
    wait_gone as wait_gone,
    wait_until as wait_until,
)
