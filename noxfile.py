"""Every command of the project: `nox --list` shows them, `nox` runs the gate.

Configuration lives in `pyproject.toml` alone; what a session installs is one of its dependency
groups. Words after `--` go to pytest (`nox -s tests-3.12 -- -k fork`) or to the benchmarks.
"""

import os
import shutil
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.10.14"  # the first with download_python
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.reuse_venv = "yes"
# A missing interpreter skips its session here and is an error where CI is set: nox's own default.
nox.options.sessions = ["lint", "typing", "tests", "minimums", "coverage", "docs", "dist"]

PACKAGE = "trio_coreshift"
PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PYPROJECT)  # from the classifiers
# Half of the time of a test is its children's.
AT_ONCE = ("-n", "auto")
# Programs that the tests run import the package again and again: let them keep its bytecode.
ENV = {"PYTHONDONTWRITEBYTECODE": None}
# What an installed wheel is tested with: all doors, all backends, the command line.
OF_WHEEL = (
    "tests/backends",
    "tests/cli/test_command.py",
    "tests/test_public_api.py",
    "tests/test_spawn_doors.py",
    "tests/test_spawn_output.py",
)
FAIL_UNDER = 96
TYPED = (
    PACKAGE,
    "tests",
    "typing_tests",
    "examples",
    "benchmarks",
    "conftest.py",
    "docs/conf.py",
    "noxfile.py",
)


def install(session: nox.Session, *groups: str) -> None:
    """Install the checkout, editable, together with dependency groups."""
    session.install("-e.", *nox.project.dependency_groups(PYPROJECT, *groups))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, layers, spelling and the project file."""
    install(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")
    session.run("codespell")
    session.run("validate-pyproject", "pyproject.toml")


@nox.session
def typing(session: nox.Session) -> None:
    """Type-check everything, and that no public name lacks a type."""
    install(session, "typing")
    targets = [name for name in TYPED if Path(name).exists()]
    for version in (PYTHONS[0], PYTHONS[-1]):
        session.run("mypy", "--python-version", version, *targets)
    session.run("pyright")
    session.run("pyright", "--verifytypes", PACKAGE, "--ignoreexternal")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests and the examples of the documentation, measuring coverage."""
    install(session, "test")
    data = {"COVERAGE_FILE": f".coverage.{session.python}"}
    session.run("coverage", "erase", env=data)  # stale data would be combined too
    measure = ("--cov", "--cov-report=")
    session.run("pytest", *AT_ONCE, *measure, *session.posargs, env={**ENV, **data})


@nox.session(python=PYTHONS[0])
def minimums(session: nox.Session) -> None:
    """Run the tests with the oldest versions that the project file allows."""
    allowed = (
        *PYPROJECT["project"]["dependencies"],
        *nox.project.dependency_groups(PYPROJECT, "test"),
    )
    session.install("-e.", *(requirement.replace(">=", "==") for requirement in allowed))
    session.run("pytest", *AT_ONCE, *(session.posargs or ("-m", "not stress")), env=ENV)


@nox.session(requires=[f"tests-{version}" for version in PYTHONS])
def coverage(session: nox.Session) -> None:
    """Combine what the tests measured and hold it against the gate."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "test"))
    session.run("coverage", "combine")
    gate = 0 if session.posargs else FAIL_UNDER  # a selection of tests proves nothing
    session.run("coverage", "report", f"--fail-under={gate}")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    install(session, "docs")
    options = ("-n", "-W", "-T", "--keep-going", "-b", "html")
    session.run("sphinx-build", *options, "docs", "docs/_build/html")


@nox.session
def dist(session: nox.Session) -> None:
    """Build and check sdist and wheel; run the sdist's tests against the installed wheel."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "dist"))
    with tempfile.TemporaryDirectory(prefix="coreshift-dist-") as name:
        built = Path(name, "built")
        session.run("python", "-m", "build", "--outdir", str(built))
        (sdist,) = built.glob("*.tar.gz")
        (wheel,) = built.glob("*.whl")
        session.run("twine", "check", "--strict", str(sdist), str(wheel))
        session.run("check-wheel-contents", str(wheel))
        session.install("--force-reinstall", str(wheel))
        shutil.unpack_archive(sdist, name, filter="data")
        with session.chdir(Path(name, sdist.name.removesuffix(".tar.gz"))):
            shutil.rmtree(PACKAGE)  # from here on only the wheel has it
            selected = session.posargs or OF_WHEEL
            session.run("python", "-m", "pytest", *AT_ONCE, *selected, env=ENV)


@nox.session(default=False)
def stress(session: nox.Session) -> None:
    """Run the races for long: CORESHIFT_STRESS_SECONDS (60 unless set) each."""
    install(session, "test")
    seconds = os.environ.get("CORESHIFT_STRESS_SECONDS", "60")
    limit = f"--timeout={float(seconds) + 60}"
    env = {"CORESHIFT_STRESS_SECONDS": seconds}
    session.run("pytest", "-m", "stress", limit, *session.posargs, env=env)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure against trio and anyio (`nox -s bench -- --help`)."""
    install(session, "bench")
    session.run("python", "-m", "benchmarks", *session.posargs)
