"""Helpers that know nothing of processes."""

from __future__ import annotations

import types
from typing import Any


def fixup_module_metadata(module: str, namespace: dict[str, Any]) -> None:
    """Make public classes and functions say that they live where they are public.

    Tracebacks, pickles and the documentation then show ``trio_coreshift.Output`` and not a
    private module that may be moved.
    """
    for name, value in namespace.items():
        if not name.startswith("_") and isinstance(value, (type, types.FunctionType)):
            value.__module__ = module
