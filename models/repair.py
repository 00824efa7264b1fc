"""One row that is not quite as documented: what can be kept exactly is kept and reported, the rest is refused whole."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from pydantic import ValidationError

from models import duplicates
from models.exact import DECIMALS, ROUNDED, Number, dumps_exact, fit_decimal
from models.fields import ModelColumn, wire_names
from models.problem import Problem, Rejected
from models.shapes import Shape

#: A whole number that has more is none that a column holds, and Python won't read thousands of digits.
MOST_DIGITS = 20


def read_row(shape: Shape, sent: Any) -> tuple[dict[str, Any] | Rejected, list[Problem]]:
    """The row as its columns hold it, or its rejection; and what was noticed either way."""
    if not isinstance(sent, dict):
        return _reject(shape, sent, [_problem("row_not_understood", "FAIL", None, sent, "a row is not a JSON object")])
    row = _current_names(shape, sent)
    problems = duplicates.in_row(sent, documented(shape.model))
    for column in shape.columns:
        if row.get(column.name) is not None:
            row[column.name], noticed = _repair(column, row[column.name], sent)
            problems.extend(noticed)
    if not any(problem.severity == "FAIL" for problem in problems):
        try:
            return shape.row.validate_python(row), problems
        except ValidationError as error:
            problems.extend(_explain(error, sent))
    return _reject(shape, sent, problems)


@cache
def documented(model: type) -> frozenset[str]:
    """Every name that a field of the model has on the wire."""
    return frozenset(wire_names(model))


def _current_names(shape: Shape, sent: dict[str, Any]) -> dict[str, Any]:
    """A copy of the row in which a field that came under an old name has its current one."""
    row = dict(sent)
    for column in shape.columns:
        if len(column.names) > 1 and column.name not in row:
            old = next((name for name in column.names if name in row), None)
            if old is not None:
                row[column.name] = row.pop(old)
    return row


def _repair(column: ModelColumn, value: Any, sent: dict[str, Any]) -> tuple[Any, Iterable[Problem]]:
    """The value as the column holds it. What is left alone here is judged by the model afterwards."""
    if column.kind == "json" or not isinstance(value, str):
        return value, ()
    if column.kind in DECIMALS:
        return _repair_decimal(column, value, sent)
    if not isinstance(value, Number):
        return value, ()
    if column.kind == "integer":
        return (int(value) if len(value) <= MOST_DIGITS and value.lstrip("-").isdigit() else str(value)), ()
    if column.number:
        return value.removesuffix(".0"), ()  # 19816.0 is the whole number 19816, as in the one-pass decode
    return str(value), (_number(column, value, sent),)


def _repair_decimal(column: ModelColumn, value: str, sent: dict[str, Any]) -> tuple[str, Iterable[Problem]]:
    noticed = [_number(column, value, sent)] if isinstance(value, Number) else []
    try:
        held, exact = fit_decimal(value, column.kind)
    except ValueError as why:
        message = f"{column.name} {why}"
        return value, [*noticed, _problem("not_a_decimal", "FAIL", column.name, value, message, sent)]
    if not exact:
        rounded = column.kind in ROUNDED
        what = f"rounded half-even to {held}" if rounded else "the row was refused"
        message = f"{column.name} has more than {DECIMALS[column.kind][1]} decimals: {what}"
        severity = "WARN" if rounded else "FAIL"
        noticed.append(_problem("inexact_decimal", severity, column.name, value, message, sent))
    return held, noticed


def _number(column: ModelColumn, value: str, sent: dict[str, Any]) -> Problem:
    message = f"{column.name} came as a JSON number instead of text; its digits were kept"
    return _problem("number_instead_of_text", "WARN", column.name, value, message, sent)


def _explain(error: ValidationError, sent: dict[str, Any]) -> Iterable[Problem]:
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        name = str(detail["loc"][0]) if detail["loc"] else None
        if detail["type"] == "missing":
            yield _problem("missing_field", "FAIL", name, None, f"{name} is missing", sent)
        else:
            message = f"{name} can't be read: {detail['msg'][:1].lower()}{detail['msg'][1:]}"
            yield _problem("row_not_understood", "FAIL", name, sent.get(name or ""), message, sent)


def _problem(
    check_name: str, severity: str, field: str | None, value: Any, message: str, sent: dict[str, Any] | None = None
) -> Problem:
    instrument_id = (sent or {}).get("instrument_id")
    text = value if value is None or isinstance(value, str) else dumps_exact(value)
    return Problem(
        check_name,
        severity,
        field,
        str(instrument_id) if isinstance(instrument_id, str) else None,
        None if text is None else str(text),
        message,
    )


def _reject(shape: Shape, sent: Any, problems: list[Problem]) -> tuple[Rejected, list[Problem]]:
    reason = "; ".join(problem.message for problem in problems if problem.severity == "FAIL")
    identity = None
    if isinstance(sent, dict) and all(isinstance(sent.get(name), str) for name in shape.key):
        identity = "|".join(str(sent[name]) for name in shape.key)
    return Rejected(dumps_exact(sent), reason, identity), problems
