"""The arguments: what they become, and what is refused without quoting anything."""

import os
import re
from pathlib import Path

import pytest

from trio_coreshift import CancelPolicy, CoreError, ProcessGroup, SpawnBackend, SpawnOptions
from trio_coreshift._arguments import Settings, UsageError, parse


def parsed(*argv: str) -> Settings:
    """Return the settings of arguments that are right."""
    settings = parse(argv)
    assert settings is not None
    return settings


def options(*argv: str) -> SpawnOptions:
    """Return the options of arguments that are right."""
    return parsed(*argv).options


def test_defaults() -> None:
    """A bare program gets a session of its own, VFORK, the graceful policy and our streams."""
    assert parsed("true") == Settings(
        SpawnOptions(
            ["true"],
            backend=SpawnBackend.VFORK,
            stdin=None,
            cancel=CancelPolicy.GRACEFUL,
            pgroup=ProcessGroup(isolated=True),
        ),
        report=False,
        json=False,
    )


def test_every_option() -> None:
    """Each option reaches the field it names."""
    settings = parsed(
        *("--timeout", "1.5", "--cancel", "kill", "--grace", "0.25", "--backend", "fork"),
        *("--no-isolated", "--cwd", "/", "--report", "--json", "cat", "-n"),
    )
    assert settings == Settings(
        SpawnOptions(
            ["cat", "-n"],
            backend=SpawnBackend.FORK,
            stdin=None,
            cwd="/",
            timeout=1.5,
            cancel=CancelPolicy.KILL,
            kill_grace=0.25,
        ),
        report=True,
        json=True,
    )


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["sh", "-c", "x"], ("sh", "-c", "x")),
        (["--report", "sh", "--report", "--", "x"], ("sh", "--report", "--", "x")),
        (["--", "sh", "-c", "x"], ("sh", "-c", "x")),
        (["--report", "--", "--version"], ("--version",)),
        (["--", "--", "x"], ("--", "x")),
        (["--timeout=3", "-", "--timeout", "4"], ("-", "--timeout", "4")),
        (["sh", ""], ("sh", "")),
    ],
)
def test_what_follows_the_program_is_the_programs(
    argv: list[str], expected: tuple[str, ...]
) -> None:
    """Options after PROGRAM, and everything after ``--``, go to the program untouched."""
    assert options(*argv).argv == expected


def test_env_is_merged_over_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each ``--env`` sets or replaces one variable; the last of a name wins; ``=`` may follow."""
    monkeypatch.setenv("CORESHIFT_OLD", "old")
    given = ("--env", "CORESHIFT_OLD=a", "--env", "NEW=b=c", "--env=EMPTY=", "--env", "NEW=d=e")
    env = options(*given, "true").env
    assert env == {**os.environ, "CORESHIFT_OLD": "a", "NEW": "d=e", "EMPTY": ""}


def test_env_is_inherited_untouched_without_the_option() -> None:
    """No ``--env``: the environment is not even copied."""
    assert options("true").env is None


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--backend=posix_spawn"], ProcessGroup(leader=0)),
        (["--backend=posix_spawn", "--no-isolated"], ProcessGroup()),
        (["--no-isolated"], ProcessGroup()),
        (["--isolated"], ProcessGroup(isolated=True)),
        (["--backend=fork"], ProcessGroup(isolated=True)),
        (["--no-isolated", "--isolated"], ProcessGroup(isolated=True)),
    ],
)
def test_group(flags: list[str], expected: ProcessGroup) -> None:
    """posix_spawn gets a group where it cannot have a session; ``--no-isolated`` means neither."""
    assert options(*flags, "true").pgroup == expected


def test_an_explicit_choice_is_refused_and_not_changed() -> None:
    """``--isolated`` with posix_spawn is the error of the library, in its words."""
    with pytest.raises(CoreError) as caught:
        parse(["--backend", "posix_spawn", "--isolated", "true"])
    assert caught.value.op == "posix_spawn setsid unsupported"


def test_cwd_is_refused_with_posix_spawn() -> None:
    """``--cwd`` with posix_spawn is the error of the library, in its words."""
    with pytest.raises(CoreError) as caught:
        parse(["--backend", "posix_spawn", "--cwd", "/", "true"])
    assert caught.value.op == "posix_spawn cwd unsupported"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], "no PROGRAM"),
        (["--"], "no PROGRAM"),
        (["--report"], "no PROGRAM"),
        (["--bogus", "true"], "unknown option --bogus"),
        (["--bogus=s3cret", "true", "s3cret"], "unknown option --bogus"),
        (["--time", "3", "true"], "unknown option --time"),
        (["-k", "true"], "unknown option -k"),
        (["--timeout"], "--timeout: expected one argument"),
        (["--timeout", "s3cret", "true"], "--timeout: must be a number of seconds"),
        (["--timeout", "nan", "true"], "--timeout: must be a number of seconds"),
        (["--grace", "-1", "true"], "--grace: must be a number of seconds"),
        (["--cancel", "softly", "true"], "--cancel: invalid choice"),
        (["--backend", "clone", "true"], "--backend: invalid choice"),
        (["--env", "s3cret", "true"], "--env: must be KEY=VALUE"),
        (["--env", "=s3cret", "true"], "--env: must be KEY=VALUE"),
    ],
)
def test_bad_usage(argv: list[str], expected: str) -> None:
    """What makes no sense is told by the option's name, and nothing secret is quoted."""
    with pytest.raises(UsageError) as caught:
        parse(argv)
    assert expected in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_infinity_is_a_time() -> None:
    """Infinity is allowed, as it is in the library."""
    assert options("--timeout", "inf", "true").timeout == float("inf")


def test_bytes_that_are_no_text_survive() -> None:
    """Arguments and values that are not UTF-8 reach the program as they are."""
    odd = os.fsdecode(b"\xff\xfe")
    image = options("--env", f"ODD={odd}", "echo", odd).image
    assert image.argv == (b"echo", b"\xff\xfe")
    assert image.env is not None
    assert image.env.variables[b"ODD"] == b"\xff\xfe"


def test_help_tells_every_option_and_status(capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` goes to stdout, succeeds, and names what the page on the command names."""
    with pytest.raises(SystemExit) as caught:
        parse(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    page = (Path(__file__).parents[2] / "docs" / "cli.rst").read_text()
    documented = set(re.findall(r"--[a-z][a-z-]*", page))
    options = set(re.findall(r"--[a-z][a-z-]*", text))
    assert documented == options
    assert len(options) == 12
    for status in (124, 125, 126, 127):
        assert str(status) in text
        assert f"``{status}``" in page
