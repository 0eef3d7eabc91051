"""Run the examples of README.md, of the documentation and of the docstrings as tests."""

import pytest
from sybil import Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers import markdown, rest

_readme = Sybil(
    parsers=[markdown.PythonCodeBlockParser()],
    patterns=["README.md"],
)
_docs_and_docstrings = Sybil(
    parsers=[rest.DocTestParser(), rest.PythonCodeBlockParser()],
    patterns=["docs/*.rst", "trio_coreshift/*.py", "trio_coreshift/*/*.py"],
)

pytest_collect_file = (_readme + _docs_and_docstrings).pytest()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put examples back in the order of their document: pytest-randomly has shuffled them too."""
    places = [place for place, item in enumerate(items) if isinstance(item, SybilItem)]
    examples = [item for item in items if isinstance(item, SybilItem)]
    examples.sort(key=lambda item: (item.path, item.example.start))
    for place, example in zip(places, examples, strict=True):
        items[place] = example
