"""From a reply's bytes to rows: one pass where everything is as documented, row by row where it isn't.

Nothing is lost on the way: what a column can't hold is refused with its exact text, and the reason, beside it.
"""

from dataclasses import dataclass
from typing import Any

from models.envelope import ApiError, Metadata, error_of, metadata_of
from models.exact import loads_exact
from models.repair import Problem, Rejected, read_row
from models.shapes import Shape

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


def read_page(shape: Shape, body: bytes) -> Page:
    """The rows of a reply. Raises NotUnderstood for a body that isn't the documented envelope."""
    if shape.envelope is not None:
        try:
            whole = shape.envelope.validate_json(body)
            metadata = metadata_of(whole.get("metadata"))
            error = error_of(whole.get("error"), metadata.request_id)
        except ValueError:  # pydantic's ValidationError is one
            return _row_by_row(shape, body)
        return Page(shape.rows_of(whole["data"]), [], [], metadata, error)
    return _row_by_row(shape, body)


def read_error(body: bytes) -> ApiError | None:
    """The broker's error, in the envelope or bare; None for a body that holds neither."""
    try:
        whole = loads_exact(body)
    except ValueError:
        return None
    if not isinstance(whole, dict):
        return None
    metadata = whole.get("metadata")
    request_id = metadata.get("request_id") if isinstance(metadata, dict) else None
    if whole.get("error") is not None:
        return error_of(whole["error"], request_id)
    bare = any(whole.get(name) for name in ("message", "detail", "title"))
    return error_of(whole, request_id) if bare and "data" not in whole else None


def _row_by_row(shape: Shape, body: bytes) -> Page:
    whole, metadata = _envelope(body)
    error = error_of(whole.get("error"), metadata.request_id)
    if whole.get("data") is None:
        if error is None:
            raise NotUnderstood("the reply has no data")
        return Page([], [], [], metadata, error)
    try:
        sent = shape.rows_of(whole["data"])
    except ValueError as why:
        raise NotUnderstood(f"the reply can't be read: {why}") from None
    page = Page([], [], [], metadata, error)
    for row in sent:
        read, problems = read_row(shape, row)
        page.problems.extend(problems)
        if isinstance(read, Rejected):
            page.rejected.append(read)
        else:
            page.rows.append(read)
    return page


def _envelope(body: bytes) -> tuple[dict[str, Any], Metadata]:
    try:
        whole = loads_exact(body)
    except ValueError:
        raise NotUnderstood(f"the reply is not JSON ({_glimpse(body)})") from None
    if not isinstance(whole, dict):
        raise NotUnderstood("the reply is not a JSON object")
    try:
        return whole, metadata_of(whole.get("metadata"))
    except ValueError as why:
        raise NotUnderstood(f"the reply can't be read: {why}") from None


def _glimpse(body: bytes) -> str:
    if not body:
        return "it is empty"
    start = body[:200].lstrip().lower()
    kind = "it looks like an HTML page" if start.startswith((b"<!doctype", b"<html")) else "cut short or damaged"
    return f"{kind}, {len(body)} bytes"
