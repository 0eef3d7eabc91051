"""Every backend: which program runs, with which arguments, environment and directory."""

import errno
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import bare_env, child, child_env
from tests.support.runs import report_of, stdout_of
from trio_coreshift import CoreError, Exited, SpawnBackend, SpawnOptions, spawn

PRINT_ARGS = ("/bin/sh", "-c", 'printf "[%s]" "$@"', "sh")


def script(path: Path, text: str, mode: int = 0o755) -> Path:
    """Make a shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return path


async def test_arguments_arrive_as_given(backend: SpawnBackend) -> None:
    """No shell looks at the arguments: blanks, quotes, stars, an empty one arrive as they are."""
    args = ["a b", "", "'", '"', "$HOME", "*", ";exit 3", "back\\slash", "new\nline", "-n"]
    assert await report_of(SpawnOptions(child("report_args", *args), backend=backend)) == args


async def test_a_hundred_arguments_arrive(backend: SpawnBackend) -> None:
    """Many arguments arrive, all of them and in order."""
    args = [f"argument {number}" for number in range(100)]
    assert await report_of(SpawnOptions(child("report_args", *args), backend=backend)) == args


async def test_bytes_str_and_paths_mix_in_argv(backend: SpawnBackend) -> None:
    """Arguments may be bytes that are no UTF-8, str with surrogate escapes, and paths."""
    argv = (*PRINT_ARGS, b"\xff\xfe", "\udcfd", Path("/x/y"), "ä")
    out = await stdout_of(SpawnOptions(argv, backend=backend))
    assert out == b"[\xff\xfe][\xfd][/x/y][\xc3\xa4]"


async def test_argv0_is_what_the_program_sees(backend: SpawnBackend, tmp_path: Path) -> None:
    """A program found on the PATH still gets the bare name it was called by."""
    (tmp_path / "showme").symlink_to("/bin/cat")
    env = child_env(PATH=str(tmp_path))
    argv = ("showme", "/proc/self/cmdline")
    out = await stdout_of(SpawnOptions(argv, backend=backend, env=env))
    assert out == b"showme\0/proc/self/cmdline\0"


@pytest.mark.parametrize(
    "env",
    [{}, {"A": "1"}, {b"B": b"\xff", "C": "x=y", "D": "", "P": Path("/p")}],
    ids=["empty", "one", "mixed"],
)
async def test_env_is_exact(
    backend: SpawnBackend, env: Mapping[str | bytes, str | bytes | Path]
) -> None:
    """The environment given is the whole environment, byte for byte."""
    argv = ("/usr/bin/env", "-0")
    out = await stdout_of(SpawnOptions(argv, backend=backend, env=env))  # type: ignore[arg-type]  # str and bytes keys mixed on purpose
    expected = {os.fsencode(key) + b"=" + os.fsencode(value) for key, value in env.items()}
    assert set(out.split(b"\0")) - {b""} == expected


async def test_env_none_inherits_what_it_is_now(
    backend: SpawnBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ``env`` the child gets our environment as it is at the spawn, later changes too."""
    options = SpawnOptions(("/usr/bin/env", "-0"), backend=backend)
    monkeypatch.setenv("CORESHIFT_ADDED", "after the options")
    monkeypatch.delenv("HOME", raising=False)
    out = await stdout_of(options)
    given = set(out.split(b"\0"))
    # C code (readline, for one) may have added more, of which Python does not know.
    assert given >= {key + b"=" + value for key, value in os.environb.items()}
    assert b"CORESHIFT_ADDED=after the options" in given
    assert not any(entry.startswith(b"HOME=") for entry in given)


async def test_env_that_changes_afterwards_does_not_matter(backend: SpawnBackend) -> None:
    """Options keep a copy of the mapping they were given."""
    env = bare_env(A="1")
    options = SpawnOptions(("/usr/bin/env",), backend=backend, env=env)
    env["A"] = "2"
    assert b"A=1\n" in await stdout_of(options)


async def test_cwd_is_where_it_runs(full_backend: SpawnBackend, tmp_path: Path) -> None:
    """The child runs in ``cwd``, and the parent stays where it is."""
    here = Path.cwd()
    for cwd in (tmp_path, str(tmp_path), bytes(tmp_path)):
        report = await report_of(SpawnOptions(child("report_ids"), backend=full_backend, cwd=cwd))
        assert report["cwd"] == str(tmp_path)
    assert Path.cwd() == here


async def test_without_cwd_it_runs_where_we_are(
    backend: SpawnBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ``cwd`` the child's directory is ours at the time of the spawn."""
    options = SpawnOptions(child("report_ids"), backend=backend)
    monkeypatch.chdir(tmp_path)
    assert (await report_of(options))["cwd"] == str(tmp_path)


async def test_relative_program_is_resolved_in_cwd(
    full_backend: SpawnBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative ``argv[0]`` with a slash is the file below ``cwd``, not the one below ours."""
    script(tmp_path / "theirs/bin/prog", "echo theirs")
    script(tmp_path / "ours/bin/prog", "echo ours")
    monkeypatch.chdir(tmp_path / "ours")
    for cwd in (tmp_path / "theirs", "../theirs"):
        options = SpawnOptions(("bin/prog",), backend=full_backend, cwd=cwd)
        assert await stdout_of(options) == b"theirs\n"


async def test_relative_program_without_cwd(
    backend: SpawnBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ``cwd`` a relative ``argv[0]`` with a slash is the file below our directory."""
    script(tmp_path / "prog", "echo here")
    monkeypatch.chdir(tmp_path)
    assert await stdout_of(SpawnOptions(("./prog",), backend=backend)) == b"here\n"


async def test_lookup_is_on_the_path_the_child_will_have(
    backend: SpawnBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The PATH of ``env`` counts and not ours, where the same name is another program."""
    script(tmp_path / "ours/prog", "echo ours")
    script(tmp_path / "theirs/prog", "echo theirs")
    monkeypatch.setenv("PATH", str(tmp_path / "ours"))
    env = bare_env(PATH=str(tmp_path / "theirs"))
    assert await stdout_of(SpawnOptions(("prog",), backend=backend)) == b"ours\n"
    assert await stdout_of(SpawnOptions(("prog",), backend=backend, env=env)) == b"theirs\n"


async def test_lookup_without_a_path_uses_the_default(
    backend: SpawnBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ``env`` without PATH means the system's default path, not ours."""
    script(tmp_path / "prog", "echo ours")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await stdout_of(SpawnOptions(("echo", "x"), backend=backend, env={})) == b"x\n"
    with pytest.raises(FileNotFoundError):
        await spawn(SpawnOptions(("prog",), backend=backend, env={}))


async def test_lookup_takes_the_first_that_may_be_run(
    backend: SpawnBackend, tmp_path: Path
) -> None:
    """Directories, files that may not be run and missing entries are skipped."""
    (tmp_path / "1/prog").mkdir(parents=True)
    script(tmp_path / "2/prog", "echo forbidden", mode=0o644)
    script(tmp_path / "4/prog", "echo fourth")
    script(tmp_path / "5/prog", "echo fifth")
    path = ":".join(str(tmp_path / name) for name in "12345")
    options = SpawnOptions(("prog",), backend=backend, env=bare_env(PATH=path))
    assert await stdout_of(options) == b"fourth\n"


@pytest.mark.parametrize("path", ["", ":/nonexistent", "/nonexistent:", "/nonexistent::/x", "."])
async def test_empty_entry_is_the_directory(
    backend: SpawnBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """An empty entry of the PATH means the current directory, as for execvp(3)."""
    script(tmp_path / "prog", "echo here")
    monkeypatch.chdir(tmp_path)
    options = SpawnOptions(("prog",), backend=backend, env=bare_env(PATH=path))
    assert await stdout_of(options) == b"here\n"


async def test_relative_entry_means_the_cwd_of_the_child(
    full_backend: SpawnBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative entries of the PATH, the empty one too, start from ``cwd``."""
    script(tmp_path / "theirs/prog", "echo theirs")
    script(tmp_path / "theirs/bin/other", "echo other")
    script(tmp_path / "ours/prog", "echo ours")
    monkeypatch.chdir(tmp_path / "ours")
    env = bare_env(PATH=":bin")
    for name in ("prog", "other"):
        options = SpawnOptions((name,), backend=full_backend, env=env, cwd=tmp_path / "theirs")
        assert await stdout_of(options) in {b"theirs\n", b"other\n"}


async def test_nothing_found_is_enoent(backend: SpawnBackend, tmp_path: Path) -> None:
    """A name that is nowhere on the PATH is a FileNotFoundError that names it."""
    options = SpawnOptions(("prog",), backend=backend, env=bare_env(PATH=str(tmp_path)))
    with pytest.raises(FileNotFoundError) as caught:
        await spawn(options)
    assert isinstance(caught.value, CoreError)
    assert caught.value.op == "exec path lookup"
    assert caught.value.filename == "prog"


async def test_only_unrunnable_found_is_eacces(backend: SpawnBackend, tmp_path: Path) -> None:
    """A name that is only found as a file that may not be run is a PermissionError."""
    script(tmp_path / "prog", "echo", mode=0o644)
    options = SpawnOptions(("prog",), backend=backend, env=bare_env(PATH=str(tmp_path)))
    with pytest.raises(PermissionError) as caught:
        await spawn(options)
    assert isinstance(caught.value, CoreError)
    assert caught.value.op == "exec path lookup"


async def test_no_shell_ever(backend: SpawnBackend, tmp_path: Path) -> None:
    """A script without #! is ENOEXEC: it is not handed to a shell, as execvp(3) would."""
    prog = tmp_path / "prog"
    prog.write_text("echo from a shell\n")
    prog.chmod(0o755)
    with pytest.raises(CoreError) as caught:
        await spawn(SpawnOptions((prog,), backend=backend))
    assert caught.value.errno == errno.ENOEXEC


async def test_it_runs_on_the_thread_of_trio(backend: SpawnBackend) -> None:
    """The child has the affinity of the thread that runs trio."""
    all_of_them = os.sched_getaffinity(0)
    one = {min(all_of_them)}
    os.sched_setaffinity(0, one)
    try:
        report = await report_of(SpawnOptions(child("report_ids"), backend=backend))
    finally:
        os.sched_setaffinity(0, all_of_them)
    assert report["affinity"] == sorted(one)
    assert report["ppid"] == os.getpid()


async def test_the_pid_is_that_of_the_program(backend: SpawnBackend) -> None:
    """`Output.pid` is what the program has for its own pid: there is nothing in between."""
    options = SpawnOptions(("/bin/sh", "-c", "echo $$"), backend=backend, capture_stdout=True)
    output = await spawn(options)
    assert output.pid == int(output.stdout)
    assert output.status == Exited(0)
    assert output.program == "/bin/sh"


async def test_the_interpreter_runs_as_a_child(backend: SpawnBackend) -> None:
    """A large program (this interpreter) runs like a small one."""
    argv = (sys.executable, "-I", "-S", "-c", "import sys; print(sys.argv)", "x")
    assert await stdout_of(SpawnOptions(argv, backend=backend)) == b"['-c', 'x']\n"
