"""Reading a request: every parameter is checked, and a bad one is refused with a sentence (400)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime

from pipelines.sandbox.replies import ErrorAnswer

Query = Mapping[str, str]


def integer(query: Query, name: str, default: int, least: int, most: int) -> int:
    """A whole number within bounds."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 18 or not least <= int(text) <= most:
        raise ErrorAnswer(400, f"{name} must be a whole number from {least} to {most}")
    return int(text)


def choice(query: Query, name: str, known: Collection[str]) -> str | None:
    """One of a few words."""
    text = query.get(name)
    if text is not None and text not in known:
        raise ErrorAnswer(400, f"{name} must be one of {', '.join(known)}")
    return text


def several(query: Query, name: str) -> list[str] | None:
    """A comma-joined list of at least one item; None where the parameter wasn't sent."""
    text = query.get(name)
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise ErrorAnswer(400, f"{name} must name something, and must not have an empty item between its commas")
    return parts


def boolean(query: Query, name: str) -> bool | None:
    """true or false."""
    text = choice(query, name, ("true", "false"))
    return None if text is None else text == "true"


def date_param(query: Query, name: str) -> date | None:
    """A date, YYYY-MM-DD."""
    text = query.get(name)
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise ErrorAnswer(400, f"{name} must be a date such as 2005-02-28") from None


def instant_param(query: Query, name: str) -> datetime | None:
    """An RFC 3339 instant; digits past the microsecond are cut."""
    text = query.get(name)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ErrorAnswer(400, f"{name} must be an instant such as 2005-02-28T21:20:00Z") from None
