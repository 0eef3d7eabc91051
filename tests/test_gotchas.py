"""Every decided trap in docs/gotchas.rst has a test that fails without the line that handles it."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path
from typing import Final

import pytest

import trio_coreshift

TESTS: Final = Path(__file__).parent
PAGE: Final = TESTS.parent / "docs" / "gotchas.rst"
PACKAGE: Final = Path(trio_coreshift.__file__).parent

# The label of each heading, in the order of the page, and the tests of it as "module::function".
GUARDS: Final[dict[str, tuple[str, ...]]] = {
    "pid-reuse": (
        "gotchas/test_numbers.py::test_a_number_is_not_used_after_its_reaping",
        "gotchas/test_numbers.py::test_a_number_is_not_used_after_somebody_elses_reaping",
    ),
    "zombie-answers": (
        "gotchas/test_numbers.py::test_zombies_do_not_count_as_living",
        "gotchas/test_numbers.py::test_a_process_whose_first_thread_has_ended_lives",
    ),
    "pgid-reuse": (
        "gotchas/test_numbers.py::test_a_group_is_pinned_by_its_unreaped_child",
        "gotchas/test_numbers.py::test_a_number_is_not_used_after_somebody_elses_reaping",
    ),
    "group-zero": ("gotchas/test_numbers.py::test_a_group_of_zombies_is_empty",),
    "pidfd-race": (
        "gotchas/test_numbers.py::test_a_process_that_is_not_ours_is_never_taken_for_our_child",
    ),
    "status-lost": (
        "gotchas/test_conditions.py::test_statuses_that_the_kernel_throws_away_are_unknown",
        "gotchas/test_reaping.py::test_the_status_somebody_else_took_is_unknown",
    ),
    "lost-group": (
        "shutdown/test_unknown_status.py::test_sigchld_ignored",
        "shutdown/test_unknown_status.py::test_gone_before_its_launch_is_over",
    ),
    "no-global-reaping": ("gotchas/test_reaping.py::test_children_of_others_stay_theirs",),
    "tracer": ("gotchas/test_tracer.py::test_an_exit_that_cannot_be_reaped_yet",),
    "close-under-waiter": (
        "gotchas/test_reaping.py::test_any_number_of_tasks_wait_for_a_process",
        "streams/test_interactive.py::test_stop_from_another_task_ends_the_conversation",
    ),
    "epoll-ghosts": (
        "gotchas/test_poller.py::test_a_closed_descriptor_is_not_reported",
        "gotchas/test_poller.py::test_what_is_not_read_to_the_end_is_reported_again",
    ),
    "no-pidfd": ("backends/test_contract_limits.py::test_pidfd_open_that_fails_after_the_spawn",),
    "epoll-full": (
        "gotchas/test_faults.py::test_a_loop_that_can_watch_nothing_changes_nothing",
        "gotchas/test_faults.py::test_a_loop_that_can_watch_nothing_is_no_busy_loop",
    ),
    "many-waiters": (
        "gotchas/test_reaping.py::test_any_number_of_tasks_wait_for_a_process",
        "gotchas/test_reaping.py::test_any_number_of_tasks_wait_for_a_run",
    ),
    "one-reaper": (
        "gotchas/test_numbers.py::test_the_waiter_thread_reaps_nothing",
        "gotchas/test_numbers.py::test_a_number_is_not_used_after_its_reaping",
    ),
    "wait4-imports": ("gotchas/test_conditions.py::test_resource_is_loaded_before_it_is_needed",),
    "stopped-child": ("gotchas/test_groups.py::test_a_stopped_child_acts_on_sigterm",),
    "fork-signals": ("backends/test_fork.py::test_no_handler_of_the_parent_runs_in_a_child",),
    "mask-restored": (
        "backends/test_contract_limits.py::test_too_many_processes",
        "backends/test_fork.py::test_a_handler_that_raises_leaves_no_child",
    ),
    "inherited-mask": (
        "backends/test_contract_signals.py::test_the_mask_is_empty_though_the_parent_blocks",
        "backends/test_contract_signals.py::test_sigterm_ends_the_child_of_a_parent_that_blocks_it",
    ),
    "inherited-ignore": (
        "backends/test_contract_signals.py::test_sigpipe_and_sigxfsz_are_back_to_default",
        "backends/test_contract_signals.py::test_other_ignored_signals_stay_ignored",
    ),
    "realtime-signals": (
        "gotchas/test_conditions.py::test_a_signal_that_is_pending_in_the_forked_child_has_its_default_effect",
        "backends/test_contract_signals.py::test_the_status_names_the_signal",
    ),
    "own-group": (
        "gotchas/test_groups.py::test_a_child_in_our_group_is_signalled_alone",
        "gotchas/test_groups.py::test_our_own_group_is_refused",
        "backends/test_contract_groups.py::test_our_own_group_by_number_is_refused",
    ),
    "joined-group": ("gotchas/test_groups.py::test_the_group_that_was_joined_is_signalled",),
    "group-not-yet": (
        "gotchas/test_groups.py::test_a_group_gets_what_was_sent_before_it_existed",
        "backends/test_contract_groups.py::test_the_group_exists_when_the_handle_is_there",
    ),
    "refused-signal": (
        "gotchas/test_conditions.py::test_refused_signals_are_recorded_and_bounded",
    ),
    "ctrl-c": ("gotchas/test_conditions.py::test_ctrl_c_once_is_the_policy_and_twice_is_sigkill",),
    "shells": (
        "gotchas/test_groups.py::test_what_a_shell_has_started_goes_with_it",
        "gotchas/test_groups.py::test_a_leader_that_ends_early_leaves_the_others_their_grace",
    ),
    "no-proc": (
        "shutdown/test_no_proc.py::test_the_grace_is_kept",
        "shutdown/test_no_proc.py::test_what_was_killed_is_not_waited_for",
        "shutdown/test_no_proc.py::test_a_sweep_needs_no_list",
    ),
    "kill-once": (
        "gotchas/test_ending.py::test_a_killed_target_is_given_up_after_its_time",
        "gotchas/test_groups.py::test_what_a_shell_has_started_goes_with_it",
    ),
    "pdeathsig": ("backends/test_contract_program.py::test_it_runs_on_the_thread_of_trio",),
    "fork-threads": (
        "backends/test_fork.py::test_the_collector_is_as_it_was",
        "backends/test_fork.py::test_a_warning_of_fork_is_not_an_error",
    ),
    "two-processes": (
        "gotchas/test_conditions.py::test_a_signal_that_is_pending_in_the_forked_child_has_its_default_effect",
        "backends/test_fork.py::test_no_handler_of_the_parent_runs_in_a_child",
    ),
    "vfork": (
        "kernel/test_libc.py::test_structs_have_room_to_spare",
        "backends/test_contract_signals.py::test_the_mask_is_empty_though_the_parent_blocks_all",
    ),
    "spawn-blocks": (
        "gotchas/test_launch.py::test_one_spawn_passes_per_turn_first_come_first_served",
    ),
    "cancelled-launch": (
        "gotchas/test_launch.py::test_cancelled_before_the_launch_there_is_no_child",
        "gotchas/test_launch.py::test_cancelled_around_the_launch_nothing_is_left",
    ),
    "posix-spawn-limits": ("test_options_refused.py::test_what_posix_spawn_cannot_do",),
    "no-shell-fallback": (
        "backends/test_contract_program.py::test_no_shell_ever",
        "backends/test_contract_failures.py::test_program_of_no_known_format",
    ),
    "error-pipe": (
        "backends/test_fork.py::test_the_error_pipe_survives_the_policies",
        "backends/test_fork.py::test_the_error_pipe_may_be_born_below_3",
        "backends/test_contract_failures.py::test_missing_program",
    ),
    "no-retries": (
        "backends/test_contract_failures.py::test_program_that_is_being_written",
        "backends/test_contract_limits.py::test_too_many_processes",
    ),
    "which-enoent": (
        "backends/test_contract_failures.py::test_missing_interpreter",
        "backends/test_contract_failures.py::test_missing_directory",
    ),
    "cwd-and-program": (
        "backends/test_contract_program.py::test_relative_program_is_resolved_in_cwd",
        "backends/test_contract_program.py::test_relative_entry_means_the_cwd_of_the_child",
    ),
    "path-lookup": (
        "backends/test_contract_program.py::test_lookup_is_on_the_path_the_child_will_have",
        "backends/test_contract_program.py::test_lookup_takes_the_first_that_may_be_run",
        "backends/test_contract_program.py::test_only_unrunnable_found_is_eacces",
    ),
    "bad-strings": (
        "test_options_refused.py::test_an_impossible_value",
        "test_options.py::test_a_key_given_twice_is_one_variable",
    ),
    "closing-descriptors": (
        "backends/test_contract_descriptors.py::test_close_from_3_leaves_three",
        "backends/test_vfork.py::test_a_high_descriptor_may_be_allowed",
    ),
    "dup2-to-itself": (
        "backends/test_contract_descriptors.py::test_pass_fds_arrive_at_their_number",
        "backends/test_contract_stdio.py::test_the_parent_may_lack_standard_streams",
    ),
    "closed-stdio": (
        "backends/test_contract_stdio.py::test_the_parent_may_lack_standard_streams",
        "kernel/test_fds.py::test_a_pipe_never_takes_the_place_of_stdio",
    ),
    "swapped-stdio": ("backends/test_contract_stdio.py::test_the_standard_streams_may_be_swapped",),
    "nonblocking": (
        "backends/test_contract_stdio.py::test_the_childs_ends_are_blocking",
        "backends/test_contract_stdio.py::test_our_ends_are_not_blocking_and_the_childs_are",
    ),
    "foreign-descriptors": (
        "backends/test_contract_stdio.py::test_a_given_descriptor_keeps_its_flags",
        "backends/test_contract_descriptors.py::test_pass_fds_are_never_inheritable_in_the_parent",
    ),
    "cloexec-from-birth": (
        "backends/test_contract_stdio.py::test_every_descriptor_of_ours_closes_at_exec",
        "backends/test_contract_descriptors.py::test_nothing_of_ours_comes_along",
    ),
    "two-streams": (
        "gotchas/test_pipes.py::test_feeding_and_reading_go_on_at_once",
        "gotchas/test_pipes.py::test_both_streams_are_read_at_once",
    ),
    "unwanted-stdin": (
        "gotchas/test_pipes.py::test_input_that_is_not_wanted_is_no_error",
        "gotchas/test_pipes.py::test_input_is_not_kept_for_somebody_else",
    ),
    "eof-is-not-exit": (
        "gotchas/test_ending.py::test_end_of_file_is_not_the_exit",
        "gotchas/test_ending.py::test_the_exit_is_not_end_of_file",
    ),
    "last-bytes": (
        "gotchas/test_pipes.py::test_what_lies_in_a_pipe_is_taken_when_it_is_given_up",
        "gotchas/test_pipes.py::test_taking_the_rest_does_not_follow_an_endless_writer",
    ),
    "one-batch": (
        "shutdown/test_one_batch.py::test_what_comes_after_the_exit_is_the_callers",
        "shutdown/test_one_batch.py::test_a_natural_end_stays_one",
    ),
    "signal-first": (
        "gotchas/test_ending.py::test_reading_goes_on_through_the_grace",
        "gotchas/test_ending.py::test_output_that_nobody_is_left_to_read_is_no_obstacle",
    ),
    "perhaps-unread": (
        "shutdown/test_streams_at_end.py::test_under_a_nursery_nobody_reads",
        "shutdown/test_streams_at_end.py::test_under_a_nursery_somebody_reads",
        "shutdown/test_streams_at_end.py::test_what_holds_nobody_up_is_left",
    ),
    "busy-sink": (
        "streams/test_sink_hangs.py::test_a_sink_that_never_waits_does_not_starve_the_loop",
    ),
    "short-io": (
        "gotchas/test_pipes.py::test_a_short_write_is_gone_on_with",
        "gotchas/test_pipes.py::test_the_end_behind_a_full_pipe_is_seen",
    ),
    "leaks-on-failure": (
        "backends/test_contract_limits.py::test_too_few_descriptors",
        "backends/test_contract_failures.py::test_a_failure_does_not_hinder_the_next",
    ),
    "exit-0-after-timeout": ("gotchas/test_ending.py::test_success_after_a_timeout_is_no_success",),
    "late-cancel": (
        "gotchas/test_ending.py::test_what_has_ended_gets_no_signal",
        "gotchas/test_ending.py::test_a_cancelled_run_keeps_what_it_has_captured",
    ),
    "first-reason": ("gotchas/test_ending.py::test_the_first_reason_is_the_one",),
    "128-plus-n": (
        "backends/test_contract_signals.py::test_an_exit_code_is_the_status",
        "test_status.py::test_exit_codes_from_the_kernel",
    ),
    "limit-boundary": (
        "gotchas/test_ending.py::test_the_limit_itself_is_not_too_much",
        "test_capture.py::test_a_pattern_is_found_however_the_stream_is_cut",
    ),
    "kill-is-not-gone": (
        "gotchas/test_ending.py::test_a_killed_target_is_given_up_after_its_time",
        "gotchas/test_conditions.py::test_refused_signals_are_recorded_and_bounded",
    ),
    "clock": ("gotchas/test_clock.py::test_an_hour_of_grace_passes_on_the_clock_of_the_loop",),
    "fault-behind-shield": (
        "gotchas/test_ending.py::test_a_fault_of_ours_is_an_error_and_not_a_hang",
    ),
    "oserror-new": (
        "test_errors.py::test_core_error_survives_pickle_and_copy",
        "test_errors.py::test_core_error_is_the_builtin_of_its_errno",
    ),
}


@functools.cache
def entries() -> dict[str, str]:
    """The text of each decided trap, by its label."""
    page, unsolved, _ = PAGE.read_text(encoding="utf-8").partition("\n.. _unsolved:\n")
    assert unsolved
    _, *parts = re.split(r"^\.\. _gotcha-([a-z0-9-]+):\n", page, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


@functools.cache
def functions_of(module: str) -> frozenset[str]:
    """The names of all functions in a module below tests/."""
    tree = ast.parse((TESTS / module).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


def test_every_heading_has_its_tests_and_every_test_its_heading() -> None:
    """The page and the table above list the same traps in the same order."""
    assert list(entries()) == list(GUARDS)


def test_every_heading_has_a_label() -> None:
    """No trap stands on the page without an anchor, under which others can refer to it."""
    page = PAGE.read_text(encoding="utf-8")
    headings = re.findall(r"^(.+)\n~+$", page, re.MULTILINE)
    labelled = re.findall(r"^\.\. _[a-z0-9-]+:\n\n(.+)\n~+$", page, re.MULTILINE)

    assert headings == labelled
    assert len(set(headings)) == len(headings)


@pytest.mark.parametrize("label", GUARDS)
def test_the_tests_of_a_trap_exist(label: str) -> None:
    """Whoever renames or removes a test that guards a trap learns of it here."""
    assert GUARDS[label]
    for guard in GUARDS[label]:
        module, _, function = guard.partition("::")
        assert function.startswith("test_")
        assert function in functions_of(module), guard


@pytest.mark.parametrize("label", GUARDS)
def test_an_entry_is_complete(label: str) -> None:
    """Each trap says what it is, what was decided, by which source, in which file and when."""
    text = entries()[label]
    for field in ("Trap", "Decision", "Source", "Where", "Decided"):
        assert text.count(f"\n:{field}: ") == 1, field
    assert re.search(r"^:Decided: \d{4}-\d{2}-\d{2}$", text, re.MULTILINE)

    (where,) = re.findall(r"^:Where: (.+)$", text, re.MULTILINE)
    files = re.findall(r"``(.+?)``", where)
    assert files
    assert [name for name in files if not (PACKAGE / name).is_file()] == []
