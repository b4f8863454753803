"""What an expression is in TensorRT's Python API, as far as a syntax tree tells.

TensorRT is never imported by name, so no type checker can follow it: the module is an argument `trt`, and what it makes
carries conventional names (`OBJECTS`). Types are followed through assignments, a few return values (`RETURNS`) and
loops; where they are unknown, the convention decides. A variable that has the name of a TensorRT object and is none
needs an annotation or another name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

MODULE = "trt"
OBJECTS: Mapping[str, str] = {
    "builder": "Builder",
    "config": "IBuilderConfig",
    "context": "IExecutionContext",
    "engine": "ICudaEngine",
    "inspector": "EngineInspector",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "profile": "IOptimizationProfile",
    "runtime": "Runtime",
}
"""Class of a variable or attribute by its name without leading underscores."""
RETURNS: Mapping[str, str] = {
    "Builder.create_builder_config": "IBuilderConfig",
    "Builder.create_network": "INetworkDefinition",
    "Builder.create_optimization_profile": "IOptimizationProfile",
    "Builder.build_serialized_network": "IHostMemory",
    "IBuilderConfig.create_timing_cache": "ITimingCache",
    "IBuilderConfig.get_timing_cache": "ITimingCache",
    "ICudaEngine.create_engine_inspector": "EngineInspector",
    "ICudaEngine.create_execution_context": "IExecutionContext",
    "ICudaEngine.serialize": "IHostMemory",
    "INetworkDefinition.get_input": "ITensor",
    "INetworkDefinition.get_layer": "ILayer",
    "INetworkDefinition.get_output": "ITensor",
    "ITimingCache.serialize": "IHostMemory",
    "OnnxParser.get_error": "ParserError",
    "Runtime.deserialize_cuda_engine": "ICudaEngine",
}
"""Class of what a method returns."""
_UNTYPED = {"Any", "object", "ModuleType", "None", "Optional"}


@dataclass(frozen=True)
class Known:
    """What an expression is."""

    kind: str
    """`one` instance of a class, `several` of it, or `name`: the class, enum, member or the module itself."""
    name: str
    """In TensorRT, for example `BuilderFlag.TF32`; empty for the module."""

    def of(self, attribute: str) -> str:
        """Name of an attribute."""
        return f"{self.name}.{attribute}".lstrip(".")


class Kinds:
    """What the variables of nested scopes are. None stands for what is none of TensorRT's."""

    def __init__(self) -> None:
        self._scopes: list[dict[str, Known | None]] = [{}]

    @contextmanager
    def scope(self) -> Iterator[None]:
        """A function, class or comprehension, which sees what is around it."""
        self._scopes.append({})
        try:
            yield
        finally:
            self._scopes.pop()

    def of(self, node: ast.AST | None) -> Known | None:
        """What an expression is."""
        if isinstance(node, ast.Name):
            return self._seen(node.id, node.id)
        if isinstance(node, ast.Attribute):
            owner = self.of(node.value)
            if owner is None:
                return self._seen(ast.unparse(node), node.attr)
            return Known("name", owner.of(node.attr)) if owner.kind == "name" else None
        if isinstance(node, ast.Call):
            return self._returned(node)
        if isinstance(node, ast.IfExp):
            return self.of(node.body) or self.of(node.orelse)
        if isinstance(node, ast.BoolOp):
            return next(filter(None, map(self.of, node.values)), None)
        if isinstance(node, ast.NamedExpr):
            return self.of(node.value)
        if isinstance(node, ast.ListComp):
            with self.scope():
                for generator in node.generators:
                    self.iterate(generator.target, generator.iter)
                made = self.of(node.elt)
            return Known("several", made.name) if made and made.kind == "one" else None
        if isinstance(node, ast.Subscript):
            held = self.of(node.value)
            return Known("one", held.name) if held and held.kind == "several" else None
        return None

    def name(self, node: ast.AST) -> str | None:
        """What an expression is called in TensorRT: `BuilderFlag.TF32`, `Builder.create_network`."""
        if isinstance(node, ast.Attribute):
            owner = self.of(node.value)
            return owner.of(node.attr) if owner is not None and owner.kind != "several" else None
        known = self.of(node)
        return known.name if known is not None and known.kind == "name" and known.name else None

    def bind(self, target: ast.AST, value: ast.AST | None) -> None:
        """Take note of an assignment."""
        if isinstance(target, ast.Tuple | ast.List):
            values: Sequence[ast.AST | None] = [None] * len(target.elts)
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
                values = value.elts
            for inner, part in zip(target.elts, values, strict=True):
                self.bind(inner, part)
        elif isinstance(target, ast.Name | ast.Attribute):
            known = self.of(value)
            if known is not None:
                self._scopes[-1][ast.unparse(target)] = known
            elif isinstance(target, ast.Name):
                self._scopes[-1][target.id] = conventional(target.id)

    def annotate(self, target: ast.AST, annotation: ast.expr | None, value: ast.AST | None = None) -> None:
        """Take note of an annotated variable, field or argument: one with a type of its own is none of TensorRT's."""
        if untyped(annotation):
            self.bind(target, value)
        else:
            self._scopes[-1][ast.unparse(target)] = None

    def iterate(self, target: ast.AST, over: ast.expr) -> None:
        """Take note of a loop: it binds what a list of TensorRT's holds, and nothing of TensorRT's for another."""
        if (
            isinstance(over, ast.Call)
            and ast.unparse(over.func) == "enumerate"
            and isinstance(target, ast.Tuple)
            and len(target.elts) == 2
        ):
            self.forget(target.elts[0])
            self.iterate(target.elts[1], over.args[0])
        elif isinstance(over, ast.Tuple | ast.List) and over.elts:
            self.bind(target, over.elts[0])
        else:
            held = self.of(over)
            self.forget(target)
            if isinstance(target, ast.Name) and held is not None and held.kind == "several":
                self._scopes[-1][target.id] = Known("one", held.name)

    def forget(self, target: ast.AST) -> None:
        """Take note that the names in `target` are none of TensorRT's."""
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                self._scopes[-1][node.id] = None

    def _seen(self, whole: str, last: str) -> Known | None:
        for scope in reversed(self._scopes):
            if whole in scope:
                return scope[whole]
        return conventional(last)

    def _returned(self, node: ast.Call) -> Known | None:
        asked = asks(node)
        if asked is not None:
            owner = self.of(asked[0])
            return Known("name", owner.of(asked[1])) if owner is not None and owner.kind == "name" else None
        called = self.name(node.func)
        if called is None:
            return None
        if called in RETURNS:
            return Known("one", RETURNS[called])
        constructed = called[:1].isupper() and self.of(node.func) is not None
        return Known("one", called) if constructed else None


def conventional(name: str) -> Known | None:
    """What the convention says of a variable or attribute."""
    bare = name.lstrip("_")
    if bare == MODULE:
        return Known("name", "")
    return Known("one", OBJECTS[bare]) if bare in OBJECTS else None


def untyped(annotation: ast.expr | None) -> bool:
    """True when an annotation leaves open what a variable is."""
    return annotation is None or set(re.findall(r"\w+", ast.unparse(annotation))) <= _UNTYPED


def asks(node: ast.AST) -> tuple[ast.expr, str, bool] | None:
    """Object, name and whether it may be missing, of `getattr(object, "name"[, default])` and `hasattr`."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or len(node.args) < 2:
        return None
    name = node.args[1]
    if node.func.id not in ("getattr", "hasattr") or not isinstance(name, ast.Constant):
        return None
    return node.args[0], str(name.value), node.func.id == "hasattr" or len(node.args) > 2
