"""The mutants of a select: what can be wrong with it in one place, found and changed with sqlglot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import sqlglot
from sqlglot import exp

from tests.tools.mutation import ROOT, Mutant

#: The other node in the place of one, with the same parts.
_OTHER: dict[type[exp.Expr], tuple[str, type[exp.Expr]]] = {
    exp.Add: ("sign turned", exp.Sub),
    exp.Sub: ("sign turned", exp.Add),
    exp.Min: ("min for max", exp.Max),
    exp.Max: ("min for max", exp.Min),
    exp.Least: ("min for max", exp.Greatest),
    exp.Greatest: ("min for max", exp.Least),
    exp.ArgMin: ("min for max", exp.ArgMax),
    exp.ArgMax: ("min for max", exp.ArgMin),
    exp.LT: ("bound moved", exp.LTE),
    exp.LTE: ("bound moved", exp.LT),
    exp.GT: ("bound moved", exp.GTE),
    exp.GTE: ("bound moved", exp.GT),
}
#: Nodes that give way to what they are made around.
_DROPPED: dict[type[exp.Expr], str] = {
    exp.Coalesce: "coalesce dropped",
    exp.Filter: "filter dropped",
    exp.Neg: "sign turned",
    exp.Abs: "abs dropped",
    exp.Not: "not dropped",
}
_QUOTED = re.compile(r"('(?:[^']|'')*')")
Kind = str
Change = tuple[Kind, exp.Expr]


def mutants_of(path: str) -> list[Mutant]:
    """Every mutant of a file, in the order of its text."""
    head, text = _split((ROOT / path).read_text(encoding="utf-8"))
    tree = sqlglot.parse_one(text, dialect="duckdb")
    found = []
    for node in list(tree.walk()):
        for kind, changed in _changes(node):
            line = 1 + (head + text[: _start(node)]).count("\n")
            was, becomes = _short(node), _short(changed)
            node.replace(changed)
            found.append(Mutant(path, line, kind, was, becomes, head + rendered(tree) + "\n"))
            changed.replace(node)
    assert rendered(tree) == rendered(sqlglot.parse_one(text, dialect="duckdb")), f"{path} was not put back"
    return sorted(found, key=lambda mutant: mutant.line)


def rendered(tree: exp.Expr) -> str:
    """A select in small letters, as the files are: the catalogue finds what a select reads by them."""
    text = tree.sql(dialect="duckdb", pretty=True, comments=False)
    return "".join(part if part.startswith("'") else part.lower() for part in _QUOTED.split(text))


def only_rendered(path: str) -> str:
    """A file with its own select as sqlglot writes it: that has to change nothing."""
    head, text = _split((ROOT / path).read_text(encoding="utf-8"))
    return head + rendered(sqlglot.parse_one(text, dialect="duckdb")) + "\n"


def _split(source: str) -> tuple[str, str]:
    lines = source.splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if not line.startswith("--"))
    return "".join(lines[:first]), "".join(lines[first:])


def _changes(node: exp.Expr) -> Iterator[Change]:
    if node.parent is None:
        return
    if type(node) in _OTHER:
        kind, other = _OTHER[type(node)]
        yield kind, other(**{name: _copied(value) for name, value in node.args.items()})
    if type(node) in _DROPPED and not (isinstance(node, exp.Not) and isinstance(node.this, exp.Is)):
        yield _DROPPED[type(node)], node.this.copy()
    for rule in _RULES:
        yield from rule(node)


def _conditions(node: exp.Expr) -> Iterator[Change]:
    """A condition of several left out, whichever it is, and the only one of a where."""
    if isinstance(node, exp.And):
        yield "condition dropped", node.left.copy()
        if not isinstance(node.left, exp.And):
            yield "condition dropped", node.right.copy()
    if isinstance(node, exp.Or):
        yield "alternative dropped", node.left.copy()
    if isinstance(node, exp.Where) and not isinstance(node.this, exp.And):
        yield "condition dropped", exp.Where(this=exp.true())


def _joins(node: exp.Expr) -> Iterator[Change]:
    if isinstance(node, exp.Join) and node.side.upper() == "LEFT":
        narrow = node.copy()
        narrow.set("side", None)
        narrow.set("kind", "INNER")
        yield "join narrowed", narrow


def _branches(node: exp.Expr) -> Iterator[Change]:
    if isinstance(node, exp.Case) and len(node.args["ifs"]) > 1:
        fewer = node.copy()
        fewer.set("ifs", fewer.args["ifs"][1:])
        yield "case dropped", fewer


def _arguments(node: exp.Expr) -> Iterator[Change]:
    """One of several that the greatest or least is taken of, left out."""
    if isinstance(node, exp.Greatest | exp.Least):
        arguments = [node.this, *node.expressions]
        for left_out in range(len(arguments)):
            first, *more = [each.copy() for at, each in enumerate(arguments) if at != left_out]
            yield "argument dropped", type(node)(**{**node.args, "this": first, "expressions": more})


def _numbers(node: exp.Expr) -> Iterator[Change]:
    """A number in a comparison, a frame or a sum, moved by one."""
    beside = exp.EQ | exp.LT | exp.LTE | exp.GT | exp.GTE | exp.Add | exp.Sub | exp.WindowSpec
    if isinstance(node, exp.Literal) and node.is_int and isinstance(node.parent, beside):
        yield "number moved", exp.Literal.number(int(node.this) + 1)


_RULES = (_conditions, _joins, _branches, _arguments, _numbers)


def _copied(value: Any) -> Any:
    if isinstance(value, list):
        return [_copied(each) for each in value]
    return value.copy() if isinstance(value, exp.Expr) else value


def _start(node: exp.Expr) -> int:
    """Where the first name within a node begins, or within the nearest node around it that has one."""
    at: exp.Expr | None = node
    while at is not None:
        starts = [each.meta["start"] for each in at.walk() if "start" in each.meta]
        if starts:
            return int(min(starts))
        at = at.parent
    return 0


def _short(node: exp.Expr) -> str:
    text = node.sql(dialect="duckdb", comments=False)
    return text if len(text) <= 100 else f"{text[:60]} ... {text[-35:]}"
