"""Each program of `examples/` does what its docstring says."""

import ast
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import read_line

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, *args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run an example to its end, which must come without a word of a traceback."""
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / f"{name}.py", *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        cwd=cwd,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_build_shows_its_output_and_keeps_it_in_a_file(tmp_path: Path) -> None:
    """Both streams are on the terminal and, in their order, in the log."""
    script = "echo compiling; echo a warning >&2; echo linking; exit 2"
    done = run("build_with_live_log", "--log", "a.log", "sh", "-c", script, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == "compiling\na warning\nlinking\n"
    assert (tmp_path / "a.log").read_text() == done.stdout
    assert "Exited(code=2)" in done.stderr


def test_build_shows_its_output_at_once_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    """A line is there while the build still runs; Ctrl+C then ends build and program."""
    script = "trap 'echo tidied up; exit 1' TERM; echo started; sleep 60 & wait"
    with subprocess.Popen(
        [sys.executable, EXAMPLES / "build_with_live_log.py", "sh", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    ) as process:
        assert process.stdout is not None
        assert read_line(process.stdout.fileno()) == b"started"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == b"tidied up\n"
    assert err == b""
    assert (tmp_path / "build.log").read_bytes() == b"started\ntidied up\n"


def test_build_that_takes_too_long_is_ended_with_all_it_has_started(tmp_path: Path) -> None:
    """After the limit the status is timeout(1)'s, and nothing is left (the leak guard looks)."""
    script = "echo started; sleep 60 & sleep 60"
    done = run("build_with_live_log", "--limit", "0.1", "sh", "-c", script, cwd=tmp_path)
    assert done.returncode == 124
    assert done.stdout == "started\n"
    assert "not done after 0.1 s" in done.stderr


def test_build_without_a_command_is_a_usage_error() -> None:
    """Nothing to run is said so."""
    assert run("build_with_live_log").returncode == 2


def test_service_that_fails_again_and_again_is_restarted_and_given_up() -> None:
    """Each end is reported; after the last try it is given up."""
    args = ("--tries", "3", "--first-pause", "0.01", "--", "sh", "-c", "echo up; exit 7")
    done = run("supervise_service", *args)
    assert done.returncode == 1
    assert done.stdout.count("up\n") == 3
    assert done.stdout.count("Exited(code=7)") == 3
    assert done.stdout.endswith("sh: given up after 3 failures\n")


def test_service_is_stopped_politely_by_ctrl_c() -> None:
    """Ctrl+C ends the service, in its own group, through its SIGTERM handler."""
    script = "trap 'echo bye; exit 0' TERM; echo up; sleep 60 & wait"
    with subprocess.Popen(
        [sys.executable, EXAMPLES / "supervise_service.py", "--", "sh", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert read_line(process.stdout.fileno()) == b"up"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == b"bye\n"
    assert err == b""


@pytest.mark.parametrize(("count", "failures"), [(40, 0), (60, 1)])
def test_many_commands_are_run_and_failures_collected(count: int, failures: int) -> None:
    """All are run; those that fail are shown with what they said, and do not stop the rest."""
    done = run("run_many", "--count", str(count), "--at-once", "8")
    assert done.returncode == bool(failures)
    assert done.stdout.count("exited with code 3") == failures
    assert ("no luck with 49" in done.stdout) == bool(failures)
    assert f"{count - failures} of {count} commands succeeded" in done.stdout


def test_conversation_with_an_interpreter_remembers() -> None:
    """The answer to the last question depends on the first."""
    done = run("talk_to_interactive", "n = 6 * 7", "print(n); print(-n)", "no_such", "n + 1")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "n = 6 * 7  ->  (nothing)",
        "print(n); print(-n)  ->  42 / -42",
        "no_such  ->  (nothing)",
        "n + 1  ->  43",
    ]


def test_script_with_stubborn_children_is_ended_within_limit_and_grace() -> None:
    """What ignores SIGTERM gets SIGKILL with the whole group; nothing is left."""
    done = run("time_limited_shell", "--limit", "0.2", "--grace", "0.1")
    assert done.returncode == 124
    assert [line.split()[2] for line in done.stdout.splitlines()[1:]] == [
        "SIGTERM",
        "SIGCONT",
        "SIGKILL",
    ]


def test_script_that_ends_in_time_leaves_nothing_in_the_background() -> None:
    """What it has left behind is swept."""
    done = run("time_limited_shell", "sleep 60 & echo done")
    assert done.returncode == 0
    assert done.stdout.startswith("done\nExited(code=0)")
    assert "SIGKILL to group" in done.stdout


def test_chain_of_two_children_ends_whoever_ends_first() -> None:
    """The consumer sees the producer's end, and the producer its consumer's."""
    done = run("filter_chain")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "seq | wc -l: 100000",
        "yes | head -n 2: ['y', 'y'], and yes: Signaled(signal=<Signals.SIGPIPE: 13>)",
    ]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_example_uses_the_public_names_only_and_is_tested_here(path: Path) -> None:
    """An example has a docstring with its command line, imports the root, and is run above."""
    tree = ast.parse(path.read_text())
    assert f"python {path.name}" in (ast.get_docstring(tree) or "")
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("trio_coreshift"):
            assert node.module == "trio_coreshift"
            assert not any(name.name.startswith("_") for name in node.names)
    assert f'"{path.stem}' in Path(__file__).read_text()
