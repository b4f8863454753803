"""Which names of TensorRT's Python API a source file uses, read from its syntax tree.

A name that some versions lack has to stand behind a guard: `getattr(x, "NAME", default)`, `hasattr(x, "NAME")` around
it or, with a way out, before it, or a comment `# guarded: NAME ...` on the statement that holds it.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from kinds import MODULE, Kinds, asks

_GUARDED = re.compile(r"#\s*guarded:\s*(.+)")
_LEAVES = (ast.Raise, ast.Return, ast.Continue, ast.Break)


@dataclass(frozen=True)
class Use:
    """One name in one place."""

    name: str
    """`BuilderFlag.TF32`, `Builder.create_network`, or with an argument's name `Builder.create_network(flags=)`."""
    where: str
    """`build.py:12`."""
    behind: frozenset[str] = frozenset()
    """Names that a guard has found before this one is reached; itself among them when it is asked for by name."""
    noted: bool = False
    """A comment says that it is guarded."""

    @property
    def guarded(self) -> bool:
        """True when it is not used in every version."""
        return self.noted or bool(self.behind)


def uses(source: str, file: str) -> list[Use]:
    """Every use in `source`, in order; `file` names it in `Use.where`. A file that never says `trt` has none."""
    tree = ast.parse(source)
    if not any(
        MODULE in (getattr(node, "id", ""), getattr(node, "arg", ""), getattr(node, "attr", "").lstrip("_"))
        for node in ast.walk(tree)
    ):
        return []
    reader = _Reader(file, _comments(source))
    reader.block(tree.body)
    return reader.found


def _comments(source: str) -> dict[int, set[str]]:
    """Line of the statement that a `# guarded:` comment speaks of, to the names in it."""
    found: dict[int, set[str]] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        said = _GUARDED.match(token.string) if token.type == tokenize.COMMENT else None
        if said:
            alone = not token.line[: token.start[1]].strip()
            found.setdefault(token.start[0] + alone, set()).update(re.split(r"[,\s]+", said[1].strip()))
    return found


class _Reader(ast.NodeVisitor):
    """Walks one file in order, with what its variables are and what its guards have found."""

    def __init__(self, file: str, comments: Mapping[int, set[str]]) -> None:
        self.found: list[Use] = []
        self._file, self._comments = file, comments
        self._kinds = Kinds()
        self._behind: frozenset[str] = frozenset()
        self._noted: frozenset[str] = frozenset()

    def _use(self, name: str, node: ast.AST, *, asked: bool = False) -> None:
        last = name.rpartition(".")[2]
        if last.startswith("__") and last != "__version__":  # every Python object has those
            return
        behind = self._behind | {name} if asked else self._behind
        noted = bool(self._noted & {name, last.partition("(")[0]})
        self.found.append(Use(name, f"{self._file}:{getattr(node, 'lineno', 0)}", behind, noted))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        name = self._kinds.name(node)
        if name is not None:
            self._use(name, node)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        asked = asks(node)
        owner = self._kinds.of(asked[0]) if asked is not None else None
        if asked is not None and owner is not None:
            self._use(owner.of(asked[1]), node, asked=asked[2])
        called = self._kinds.name(node.func)
        for keyword in node.keywords if called is not None else ():
            if keyword.arg is not None:
                self._use(f"{called}({keyword.arg}=)", node)
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """What a class overrides is what TensorRT calls: it must be there too."""
        for base in node.bases:
            self.visit(base)
            known = self._kinds.of(base)
            for method in node.body if known is not None else ():
                if known is not None and isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    self._use(known.of(method.name), method)
        with self._kinds.scope():
            for inner in ast.walk(node):  # what any method annotates holds in all of them
                if isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Attribute):
                    self._kinds.annotate(inner.target, inner.annotation)
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    self._kinds.annotate(ast.Attribute(ast.Name("self"), field.target.id), field.annotation)
            self.block(node.body)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(default)
        with self._kinds.scope():
            for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
                self._kinds.annotate(ast.Name(argument.arg), argument.annotation)
            self.block(node.body)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        with self._kinds.scope():
            for argument in node.args.args:
                self._kinds.bind(ast.Name(argument.arg), None)
            self.visit(node.body)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            self._kinds.bind(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.generic_visit(node)
        self._kinds.annotate(node.target, node.annotation, node.value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.generic_visit(node)
        self._kinds.bind(node.target, node.value)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        with self._kinds.scope():
            for generator in node.generators:
                self.visit(generator.iter)
                self._kinds.iterate(generator.target, generator.iter)
                for test in generator.ifs:
                    self.visit(test)
            for part in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
                self.visit(part)

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = _comprehension

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        self._kinds.iterate(node.target, node.iter)
        self.block(node.body)
        self.block(node.orelse)

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            self.visit(item.context_expr)
            if item.optional_vars is not None:
                self._kinds.forget(item.optional_vars)
        self.block(node.body)

    def visit_Try(self, node: ast.Try) -> None:
        for body in (node.body, *(handler.body for handler in node.handlers), node.orelse, node.finalbody):
            self.block(body)

    def block(self, statements: Sequence[ast.stmt]) -> None:
        """Visit statements that follow each other; a guard that leaves the block guards the rest of it."""
        behind = self._behind
        for statement in statements:
            noted = self._noted
            self._noted = noted.union(self._comments.get(statement.lineno, ()))
            self.visit(statement)
            self._noted = noted
            if isinstance(statement, ast.If) and isinstance(statement.body[-1], _LEAVES):
                self._behind |= self._tested(statement.test)[1]
        self._behind = behind

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        for there, body in zip(self._tested(node.test), (node.body, node.orelse), strict=True):
            with self._guard(there):
                self.block(body)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        for there, side in zip(self._tested(node.test), (node.body, node.orelse), strict=True):
            with self._guard(there):
                self.visit(side)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        with self._guard(frozenset()):
            for part in node.values:
                self.visit(part)
                self._behind |= self._tested(part)[isinstance(node.op, ast.Or)]

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        with self._guard(self._tested(node.test)[0]):
            self.block(node.body)
        self.block(node.orelse)

    @contextmanager
    def _guard(self, names: frozenset[str]) -> Iterator[None]:
        behind = self._behind
        self._behind |= names
        try:
            yield
        finally:
            self._behind = behind

    def _tested(self, test: ast.expr) -> tuple[frozenset[str], frozenset[str]]:
        """Names that are there when `test` is true, and when it is false."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            true, false = self._tested(test.operand)
            return false, true
        if isinstance(test, ast.BoolOp):
            either = isinstance(test.op, ast.Or)
            every: frozenset[str] = frozenset().union(*(self._tested(part)[either] for part in test.values))
            return (frozenset(), every) if either else (every, frozenset())
        asked = asks(test)
        owner = self._kinds.of(asked[0]) if asked is not None else None
        if asked is None or owner is None or ast.unparse(test).startswith("getattr"):
            return frozenset(), frozenset()
        return frozenset({owner.of(asked[1])}), frozenset()
