"""On what it was measured."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path


def facts() -> dict[str, str]:
    """Return what a reader has to know to judge the numbers; nothing that names the machine."""
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "CPU": f"{_cpu_model()}, {len(os.sched_getaffinity(0))} usable",
        "memory": f"{_memory_gib():.0f} GiB",
        "kernel": platform.release(),
        "C library": " ".join(platform.libc_ver()).strip() or "not glibc",
        "compiler of the floor": _compiler(),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        **{name: _version(name) for name in ("trio", "attrs", "anyio")},
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30


def _compiler() -> str:
    compiler = shutil.which("cc")
    if compiler is None:
        return "none"
    done = subprocess.run((compiler, "--version"), check=True, capture_output=True, text=True)
    return done.stdout.partition("\n")[0]


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
