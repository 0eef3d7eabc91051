"""Configuration of Sphinx; `nox -s docs` builds."""

import builtins
import importlib.metadata
import os
import sys

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
]
