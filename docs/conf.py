"""Configuration of Sphinx; `nox -s docs` builds."""

import ast
import builtins
import importlib.metadata
import inspect
import os
import re
import sys
from collections.abc import Callable
from typing import Protocol

import trio_coreshift

project = "trio_coreshift"
author = "The trio_coreshift authors"
project_copyright = "2026, The trio_coreshift authors"
version = release = importlib.metadata.version("trio-coreshift")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinxcontrib_trio",
]
exclude_patterns = ["_build"]
default_role = "py:obj"
html_theme = "furo"

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Cancellation"]

# An inventory that cannot be fetched is a warning, and so an error: links to other projects are
# made only where CORESHIFT_INTERSPHINX says that the network is there.
intersphinx_mapping = (
    {
        "python": ("https://docs.python.org/3", None),
        "trio": ("https://trio.readthedocs.io/en/stable", None),
    }
    if os.environ.get("CORESHIFT_INTERSPHINX")
    else {}
)

# Names of other projects are right by the type checker's word, not by a link.
_foreign = "|".join(sorted({*sys.stdlib_module_names, "attr", "attrs", "trio"}))
_builtin = "|".join(name for name in dir(builtins) if not name.startswith("_"))
nitpick_ignore_regex = [
    ("py:.*", rf"({_foreign})(\..*)?"),
    ("py:.*", rf"({_builtin})(\..*)?"),
    # A name without its module, and private names; the fields that have them say it in words.
    ("py:class", "AbstractAsyncContextManager|ExecImage|Redirect|Sink"),
]

# The package makes its public names say that they live at its root. Here they say where their
# source is, so that autodoc finds the texts below enum members, and the order of methods.
for _node in ast.parse(inspect.getsource(trio_coreshift)).body:
    if isinstance(_node, ast.ImportFrom) and _node.level == 1:
        for _alias in _node.names:
            _object = getattr(trio_coreshift, _alias.name, None)
            if inspect.isclass(_object) or inspect.isfunction(_object):
                _object.__module__ = f"{trio_coreshift.__name__}.{_node.module}"


def _only_public(*event: object) -> None:
    """Undo the same in the types that napoleon has written down by then."""
    lines = event[-1]
    assert isinstance(lines, list)
    lines[:] = [re.sub(r"trio_coreshift\._\w+\.", "", line) for line in lines]


class _Sphinx(Protocol):  # by shape: the type checkers run where Sphinx is not installed
    def connect(self, event: str, callback: Callable[..., None], priority: int) -> int: ...


def setup(app: _Sphinx) -> None:
    """Connect the function above, after napoleon."""
    app.connect("autodoc-process-docstring", _only_public, priority=900)
