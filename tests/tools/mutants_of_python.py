"""The mutants of a module: what can be wrong with it in one place, found and changed in its syntax tree."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

from tests.tools.mutation import ROOT, Mutant

_OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.And: ast.Or, ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add,
}  # fmt: skip
#: Flags that change nothing where nobody makes a mistake.
_GUARDS = ("frozen", "slots", "strict")
_OPERATORS: tuple[tuple[type[ast.AST], str, str], ...] = (
    (ast.Compare, "ops", "other comparison"),
    (ast.BoolOp, "op", "and for or"),
    (ast.BinOp, "op", "sign turned"),
)


def mutants_of(path: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its text."""
    source = (ROOT / path).read_text(encoding="utf-8")
    tree = ast.parse(source)
    found = []
    for place in _places(tree):
        for kind, changed in _changes(place.node):
            was, becomes = (" ".join(ast.unparse(node).split())[:110] for node in (place.node, changed))
            place.put(changed)
            text = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
            place.put(place.node)
            found.append(Mutant(path, getattr(place.node, "lineno", 0), kind, was, becomes, text))
    return sorted(found, key=lambda mutant: mutant.line)


class _Place:
    """Where a node stands in its parent."""

    def __init__(self, node: ast.AST, parent: ast.AST, field: str, at: int | None) -> None:
        self.node = node
        self.parent = parent
        self.field = field
        self.at = at

    def put(self, node: ast.AST) -> None:
        """Have this node stand there."""
        if self.at is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.at] = node


def _places(tree: ast.Module) -> Iterator[_Place]:
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if isinstance(value, ast.AST):
                yield _Place(value, parent, field, None)
            elif isinstance(value, list):
                yield from (
                    _Place(each, parent, field, at) for at, each in enumerate(value) if isinstance(each, ast.AST)
                )


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    for kind_of_node, field, kind in _OPERATORS:
        if isinstance(node, kind_of_node) and not _joins_texts(node):
            yield from _other_operator(node, field, kind)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not dropped", node.operand
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await):
        yield "call dropped", ast.Pass()
    if isinstance(node, ast.Raise):
        yield "nothing raised", ast.Pass()
    if isinstance(node, ast.keyword) and node.arg not in _GUARDS and _is_flag(node.value):
        yield "other flag", ast.keyword(node.arg, ast.UnaryOp(ast.Not(), node.value))


def _is_flag(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)


def _joins_texts(node: ast.AST) -> bool:
    """Whether something is put behind something else: what can't be subtracted is noticed by whoever runs it."""
    texts = (ast.JoinedStr, ast.List, ast.ListComp, ast.IfExp)
    ends = (node.left, node.right) if isinstance(node, ast.BinOp) else ()
    return any(isinstance(end, texts) or (isinstance(end, ast.Constant) and isinstance(end.value, str)) for end in ends)


def _other_operator(node: ast.AST, field: str, kind: str) -> Iterator[tuple[str, ast.AST]]:
    changed = copy.deepcopy(node)
    operator = getattr(changed, field)
    first = operator[0] if isinstance(operator, list) else operator
    if type(first) in _OTHER:
        other = _OTHER[type(first)]()
        setattr(changed, field, [other, *operator[1:]] if isinstance(operator, list) else other)
        yield kind, changed
