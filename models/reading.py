"""From a reply's bytes to rows: one pass where everything is as documented, row by row where it isn't.

Nothing is lost on the way: what a column can't hold is refused with its exact text, and the reason, beside it.
"""

import json
from dataclasses import dataclass
from typing import Any

from models import duplicates
from models.envelope import ApiError, Metadata, error_of, metadata_of
from models.exact import dumps_exact, loads_exact
from models.problem import Problem, Rejected
from models.repair import documented, read_row
from models.shapes import Shape
from models.text import storable

__all__ = ["ApiError", "Metadata", "NotUnderstood", "Page", "Problem", "Rejected", "read_error", "read_page"]


class NotUnderstood(ValueError):
    """A reply that is not the documented envelope: not JSON, no data, or counts that aren't numbers."""


@dataclass(frozen=True, slots=True)
class Page:
    """One reply, understood. `error` may stand beside rows: then the rows are a part, whatever the HTTP status."""

    rows: list[dict[str, Any]]
    rejected: list[Rejected]
    problems: list[Problem]
    metadata: Metadata
    error: ApiError | None

    @property
    def failure(self) -> Problem | None:
        """Why the page, or a row of it, can't be believed; None where all of it can."""
        return next((problem for problem in self.problems if problem.severity == "FAIL"), None)


def read_page(shape: Shape, body: bytes) -> Page:
    """The rows of a reply. Raises NotUnderstood for a body that isn't the documented envelope."""
    if shape.envelope is not None:
        try:
            whole = shape.envelope.validate_json(body)
            metadata = metadata_of(whole.get("metadata"))
            error = error_of(whole.get("error"), metadata.request_id)
            rows = shape.rows_of(whole["data"])
            once = not duplicates.may_repeat(body, whole, rows) or not _repeats(body)
        except (ValueError, ArithmeticError, RecursionError):  # pydantic's ValidationError is a ValueError
            once = False
        if once:
            return Page(rows, [], [], metadata, error)
    return _row_by_row(shape, body)


def read_error(body: bytes) -> ApiError | None:
    """The broker's error, in the envelope or bare; None for a body that holds neither."""
    try:
        whole, _ = storable(loads_exact(body))
    except ValueError:
        return None
    if not isinstance(whole, dict):
        return None
    metadata = whole.get("metadata")
    request_id = metadata.get("request_id") if isinstance(metadata, dict) else None
    if (sent := _error_in(whole)) is not None:
        return error_of(sent, request_id)
    bare = any(whole.get(name) for name in ("message", "detail", "title"))
    return error_of(whole, request_id) if bare and "data" not in whole else None


def _row_by_row(shape: Shape, body: bytes) -> Page:
    whole, metadata, noticed = _envelope(body)
    error = error_of(_error_in(whole), metadata.request_id)
    page = Page([], [], noticed, metadata, error)
    if len(each := duplicates.all_of(whole, "data")) > 1:
        page.rejected.extend(Rejected(dumps_exact(data), "the reply has data more than once", None) for data in each)
        page.problems.extend(duplicates.in_reply(whole, each, documented(shape.model)))
        return page
    if whole.get("data") is None:
        if error is None:
            raise NotUnderstood("the reply has no data")
        page.problems.extend(duplicates.in_reply(whole, [], documented(shape.model)))
        return page
    try:
        sent = shape.rows_of(whole["data"])
    except ValueError as why:
        raise NotUnderstood(f"the reply can't be read: {why}") from None
    page.problems.extend(duplicates.in_reply(whole, sent, documented(shape.model)))
    for row in sent:
        read, problems = read_row(shape, row)
        page.problems.extend(problems)
        if isinstance(read, Rejected):
            page.rejected.append(read)
        else:
            page.rows.append(read)
    return page


def _envelope(body: bytes) -> tuple[dict[str, Any], Metadata, list[Problem]]:
    """The reply as it can be stored, its metadata, and what had to be changed for that."""
    try:
        sent = loads_exact(body)
        whole, noticed = storable(sent)
    except ValueError as why:
        deep = "nested too deeply" in str(why)
        raise NotUnderstood(f"the reply is not JSON ({why if deep else _describe_body(body)})") from None
    if not isinstance(whole, dict):
        raise NotUnderstood("the reply is not a JSON object")
    try:
        return whole, metadata_of(sent.get("metadata")), noticed  # a token that was changed is not the broker's
    except ValueError as why:
        raise NotUnderstood(f"the reply can't be read: {why}") from None


def _error_in(whole: dict[str, Any]) -> Any:
    """The error of a reply: where it has several, one that says something. None beside it hides nothing."""
    return next((sent for sent in duplicates.all_of(whole, "error") if sent is not None), None)


def _repeats(body: bytes) -> bool:
    """Whether any object of a body has a key more than once."""
    found = False

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        plain = dict(pairs)
        found = found or len(plain) != len(pairs)
        return plain

    json.loads(body, object_pairs_hook=look)
    return found


def _describe_body(body: bytes) -> str:
    if not body:
        return "it is empty"
    start = body[:200].lstrip().lower()
    kind = "it looks like an HTML page" if start.startswith((b"<!doctype", b"<html")) else "cut short or damaged"
    return f"{kind}, {len(body)} bytes"
