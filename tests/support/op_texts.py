"""Finds every ``op`` text the package can raise, by reading its source.

A text may be a literal, a constant, an f-string over a parameter, a loop variable: this follows
each back to the literals it is made of. What it cannot follow is an error, so that none is missed.
"""

from __future__ import annotations

import ast
import itertools
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Where an op goes in: the function and the position of the argument.
_SINKS: Final = {"CoreError": 1, "core_error": 1, "syscall": 0, "invalid": 0, "OutputLimitError": 0}
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class UnknownOpError(Exception):
    """An op text is made in a way that this module does not understand."""


class _Module:
    """One source file: who encloses what, and its constants."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.parents = {
            child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)
        }

    def function_of(self, node: ast.AST) -> _Function | None:
        """The function around ``node``."""
        while (parent := self.parents.get(node)) is not None:
            if isinstance(parent, _Function):
                return parent
            node = parent
        return None

    def is_method(self, function: _Function) -> bool:
        """Whether the first parameter is not in the call."""
        static = any(ast.unparse(item) == "staticmethod" for item in function.decorator_list)
        return isinstance(self.parents[function], ast.ClassDef) and not static


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


class OpTexts:
    """All op texts of the package in ``root``."""

    def __init__(self, root: Path) -> None:
        self._modules = [_Module(path) for path in sorted(root.rglob("*.py"))]

    def collect(self) -> set[str]:
        """Return them."""
        found: set[str] = set()
        for module in self._modules:
            for call in self._calls(module):
                found |= self._sunk(module, call)
        return found

    @staticmethod
    def _calls(module: _Module) -> Iterator[ast.Call]:
        return (node for node in ast.walk(module.tree) if isinstance(node, ast.Call))

    def _sunk(self, module: _Module, call: ast.Call) -> set[str]:
        if isinstance(call.func, ast.Attribute) and call.func.attr == "__new__":
            # An error class of its own: super().__new__(cls, errno, "text").
            texts = [arg.value for arg in call.args[2:3] if isinstance(arg, ast.Constant)]
            return {text for text in texts if isinstance(text, str)}
        name = _called(call)
        place = _SINKS.get(name)
        around = module.function_of(call)
        if place is None or (around is not None and around.name in _SINKS):
            return set()  # inside of the makers themselves the text is only passed on
        if len(call.args) <= place:
            raise UnknownOpError(f"{module.path}:{call.lineno}: {ast.unparse(call)}")
        return self._values(module, call.args[place])

    def _values(self, module: _Module, node: ast.expr) -> set[str]:
        match node:
            case ast.Constant(value=value):
                found = {value} if isinstance(value, str) else set()
            case ast.JoinedStr(values=parts):
                choices = [self._values(module, part) for part in parts]
                found = {"".join(words) for words in itertools.product(*choices)}
            case ast.Tuple(elts=parts) | ast.Dict(values=parts):
                found = set().union(*(self._values(module, part) for part in parts))
            case ast.FormattedValue(value=inner) | ast.Subscript(value=inner):
                found = self._values(module, inner)
            case ast.Attribute(attr=attribute):
                found = self._property(module, attribute, node)
            case ast.Name(id=name):
                found = self._variable(module, name, node)
            case _:
                raise UnknownOpError(f"{module.path}:{node.lineno}: {ast.unparse(node)}")
        return found

    def _property(self, module: _Module, name: str, node: ast.expr) -> set[str]:
        for function in ast.walk(module.tree):
            if isinstance(function, ast.FunctionDef) and function.name == name:
                returns = [part for part in ast.walk(function) if isinstance(part, ast.Return)]
                return set().union(
                    *(self._values(module, part.value) for part in returns if part.value)
                )
        raise UnknownOpError(f"{module.path}:{node.lineno}: {ast.unparse(node)}")

    def _variable(self, module: _Module, name: str, node: ast.expr) -> set[str]:
        scope: ast.AST | None = module.function_of(node)
        if isinstance(scope, _Function):
            parameters = [arg.arg for arg in (*scope.args.args, *scope.args.kwonlyargs)]
            if name in parameters:
                return self._parameter(module, scope, name)
        for place in (scope, module.tree):
            if place is not None and (found := self._assigned(module, place, name)) is not None:
                return found
        raise UnknownOpError(f"{module.path}:{node.lineno}: {name}")

    def _assigned(self, module: _Module, scope: ast.AST, name: str) -> set[str] | None:
        found: list[set[str]] = []
        for node in ast.walk(scope):
            match node:
                case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                    found.append(self._values(module, value))
                case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if (
                    target == name
                ):
                    found.append(self._values(module, value))
                case ast.For(target=ast.Tuple(elts=targets), iter=ast.Tuple(elts=rows)):
                    found += self._looped(module, targets, rows, name)
                case _:
                    pass
        return set().union(*found) if found else None

    def _looped(
        self, module: _Module, targets: list[ast.expr], rows: list[ast.expr], name: str
    ) -> Iterator[set[str]]:
        for place, target in enumerate(targets):
            if isinstance(target, ast.Name) and target.id == name:
                for row in rows:
                    assert isinstance(row, ast.Tuple)
                    yield self._values(module, row.elts[place])

    def _parameter(self, module: _Module, function: _Function, name: str) -> set[str]:
        args = function.args
        names = [arg.arg for arg in args.args]
        place = names.index(name) if name in names else -1
        found: set[str] = set()
        if place >= 0 and (default := place - len(names) + len(args.defaults)) >= 0:
            found |= self._values(module, args.defaults[default])
        if module.is_method(function):
            place -= 1
        for caller in self._modules:
            for call in self._calls(caller):
                if _called(call) != function.name or caller.function_of(call) is function:
                    continue
                found |= self._argument(caller, call, place, name)
        return found

    def _argument(self, module: _Module, call: ast.Call, place: int, name: str) -> set[str]:
        for keyword in call.keywords:
            if keyword.arg == name:
                return self._values(module, keyword.value)
        return self._values(module, call.args[place]) if 0 <= place < len(call.args) else set()
