"""The exit status of the command, run inside this process on real programs."""

import errno
import os
import signal
from pathlib import Path

import pytest

from tests.support import child, sh
from trio_coreshift import CoreError, SpawnBackend, SpawnOptions
from trio_coreshift._cli import _failure, main


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Return the path for a program that a test writes."""
    return tmp_path / "script"


def written(path: Path, text: str, mode: int = 0o755) -> str:
    """Write a program and return its path."""
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_the_programs_own(backend: SpawnBackend) -> None:
    """The program's exit code is the command's."""
    assert main(["--backend", backend.value, *sh("exit 42")]) == 42


def test_success_is_silent(backend: SpawnBackend, capfd: pytest.CaptureFixture[str]) -> None:
    """A run that needs no report says nothing of its own, and gives the program our streams."""
    assert main(["--backend", backend.value, "--", *sh("echo out; echo err >&2")]) == 0
    assert capfd.readouterr() == ("out\n", "err\n")


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGSEGV", "40"])
def test_ended_by_a_signal(name: str, backend: SpawnBackend) -> None:
    """A program that a signal has ended gives 128 and the signal's number."""
    number = int(name) if name.isdigit() else signal.Signals[name]
    assert main(["--backend", backend.value, *child("die_by", name)]) == 128 + number


def test_not_found_on_the_path(backend: SpawnBackend, capfd: pytest.CaptureFixture[str]) -> None:
    """A name that is nowhere on the PATH gives 127 and one line that names it."""
    assert main(["--backend", backend.value, "no-such-program-at-all", "s3cret"]) == 127
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("trio_coreshift: exec path lookup: No such file")
    assert err.endswith(": 'no-such-program-at-all'\n")


def test_not_found_by_its_path(backend: SpawnBackend, script: Path) -> None:
    """A path at which there is nothing gives 127."""
    assert main(["--backend", backend.value, str(script)]) == 127


def test_not_found_below_a_file(backend: SpawnBackend, script: Path) -> None:
    """A path through something that is no directory gives 126, as in shells: it is not ENOENT."""
    assert main(["--backend", backend.value, written(script, "") + "/x"]) == 126


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("#!/bin/sh\n", 0o644),
        ("neither a script nor a binary\n", 0o755),
        ("#!/no/such/interpreter\n", 0o755),
    ],
    ids=["no permission", "no format", "no interpreter"],
)
def test_found_but_not_runnable(text: str, mode: int, backend: SpawnBackend, script: Path) -> None:
    """A file that is there and cannot be run gives 126, whatever keeps it from running."""
    assert main(["--backend", backend.value, written(script, text, mode)]) == 126


def test_a_missing_interpreter_is_found_out_in_the_directory(
    full_backend: SpawnBackend, script: Path
) -> None:
    """A relative path is looked at where the program would have run."""
    written(script, "#!/no/such/interpreter\n")
    command = ["--backend", full_backend.value, "--cwd", str(script.parent), "./script"]
    assert main(command) == 126
    script.unlink()
    assert main(command) == 127


def test_a_directory_is_not_runnable(backend: SpawnBackend, tmp_path: Path) -> None:
    """A directory is found, and not runnable."""
    assert main(["--backend", backend.value, str(tmp_path)]) == 126


def test_found_on_the_path_without_permission(
    backend: SpawnBackend, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file on the PATH that nobody may run gives 126."""
    written(script, "#!/bin/sh\n", 0o644)
    monkeypatch.setenv("PATH", str(script.parent))
    assert main(["--backend", backend.value, "script"]) == 126


def test_the_path_is_the_one_the_program_gets(backend: SpawnBackend, script: Path) -> None:
    """``--env PATH=`` decides where the program is looked for."""
    written(script, "#!/bin/sh\nexit 9\n")
    path = f"PATH={script.parent}:{os.environ['PATH']}"
    assert main(["--backend", backend.value, "--env", path, "script"]) == 9


def test_env_reaches_the_program(
    backend: SpawnBackend, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program has our environment with what ``--env`` says."""
    monkeypatch.setenv("CORESHIFT_KEPT", "kept")
    show = sh('echo "$CORESHIFT_KEPT-$CORESHIFT_NEW"')
    assert main(["--backend", backend.value, "--env", "CORESHIFT_NEW=new", *show]) == 0
    assert capfd.readouterr().out == "kept-new\n"


def test_a_missing_cwd_is_ours(
    full_backend: SpawnBackend, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A directory that does not exist gives 125, not the program's 127, and is named."""
    missing = str(tmp_path / "missing")
    assert main(["--backend", full_backend.value, "--cwd", missing, "true"]) == 125
    err = capfd.readouterr().err
    assert "child chdir: No such file" in err
    assert missing in err


def test_cwd(full_backend: SpawnBackend, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """``--cwd`` is where the program runs."""
    assert main(["--backend", full_backend.value, "--cwd", str(tmp_path), "pwd"]) == 0
    assert capfd.readouterr().out == f"{tmp_path}\n"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], "no PROGRAM is given (see --help)"),
        (["--bogus=s3cret", "true"], "unknown option --bogus (see --help)"),
        (["--env", "s3cret", "true"], "argument --env: must be KEY=VALUE (see --help)"),
        (
            ["--backend=posix_spawn", "--isolated", "true", "s3cret"],
            "posix_spawn setsid unsupported: Invalid argument (errno 22)",
        ),
        ([""], "exec argv empty: Invalid argument (errno 22)"),
    ],
)
def test_bad_usage(argv: list[str], expected: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Bad usage and what a backend refuses give 125 and one line, with nothing secret in it."""
    assert main(argv) == 125
    assert capfd.readouterr() == ("", f"trio_coreshift: {expected}\n")


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    """``--version`` needs no program, and writes to stdout."""
    assert main(["--version"]) == 0
    assert capfd.readouterr().out.startswith("trio_coreshift ")


def test_a_failure_of_trio_is_ours(capfd: pytest.CaptureFixture[str]) -> None:
    """Where even the loop cannot be had, for want of descriptors, it is 125 and one line."""
    import resource  # noqa: PLC0415 - this test only

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        assert main(["true"]) == 125
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert capfd.readouterr().err == "trio_coreshift: [Errno 24] Too many open files\n"


@pytest.mark.parametrize(
    ("code", "op", "expected"),
    [
        (errno.EAGAIN, "posix_spawn", 125),
        (errno.ENOMEM, "fork child execve", 125),
        (errno.EAGAIN, "vfork posix_spawn", 125),
        (errno.E2BIG, "vfork child execve", 126),
        (errno.EPERM, "fork child setsid", 125),
    ],
)
def test_a_lack_of_resources_is_not_the_programs_fault(
    code: int, op: str, expected: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """What the kernel refuses for want of room is ours, at whatever stage it does."""
    options = SpawnOptions(["true"], backend=SpawnBackend.VFORK)
    assert _failure(CoreError(code, op, "/bin/true"), options) == expected
    assert capfd.readouterr().err.startswith(f"trio_coreshift: {op}: ")
