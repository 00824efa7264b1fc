"""What every reply is wrapped in: data, metadata, and an error in either of its two shapes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, NotRequired, TypeVar

from typing_extensions import TypedDict

from models.exact import dumps_exact
from models.fields import as_sent
from models.text import escaped

DataT = TypeVar("DataT")

#: A request id is a UUID or the like; of a longer one this much is kept.
LONGEST_ID = 200
#: A count of rows or pages. A number with more digits counts nothing.
_WHOLE = re.compile(r"\s*-?[0-9]{1,15}(\.0*)?\s*")


@as_sent
class WireMetadata(TypedDict):
    """Paging state as sent. Numbers have been seen as strings."""

    request_id: NotRequired[str | None]
    next_page_token: NotRequired[str | None]
    page_number: NotRequired[int | None]
    total_items: NotRequired[int | None]
    total_pages: NotRequired[int | None]


@as_sent
class Envelope(TypedDict, Generic[DataT]):
    """A successful reply. A 207 has both data and an error, so an error makes any reply partial."""

    data: DataT
    metadata: NotRequired[WireMetadata | None]
    error: NotRequired[Any]


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where a page stands in its listing. None is "not said"; an empty token counts as none."""

    request_id: str | None = None
    next_page_token: str | None = None
    page_number: int | None = None
    total_items: int | None = None
    total_pages: int | None = None


@dataclass(frozen=True, slots=True)
class ApiError:
    """The broker's own words about what went wrong."""

    code: int | None
    message: str
    details: str | None = None
    request_id: str | None = None


def metadata_of(sent: Any) -> Metadata:
    """Typed metadata. Raises ValueError for a count that is not a whole number: paging can't be proven with it."""
    if not isinstance(sent, Mapping):
        return Metadata()
    return Metadata(
        request_id=_id(sent.get("request_id")),
        next_page_token=_token(sent.get("next_page_token")),
        page_number=_count(sent, "page_number"),
        total_items=_count(sent, "total_items"),
        total_pages=_count(sent, "total_pages"),
    )


def error_of(sent: Any, request_id: str | None = None) -> ApiError | None:
    """An error object, whatever its shape, or None where nothing was sent."""
    if sent is None:
        return None
    if not isinstance(sent, Mapping):
        return ApiError(None, _words(sent), request_id=request_id)
    details = sent.get("details")
    return ApiError(
        code=_code(sent),
        message=_words(sent.get("message") or sent.get("detail") or sent.get("title") or "no message"),
        details=None if details is None else dumps_exact(details),
        request_id=request_id,
    )


def _token(sent: Any) -> str | None:
    if sent is not None and (isinstance(sent, bool) or not isinstance(sent, str | int)):
        raise ValueError("metadata.next_page_token is not text")
    return str(sent) if sent not in (None, "") else None


def _id(sent: Any) -> str | None:
    """A request id as it is shown and kept, cut to a bounded length; None for anything but text or a whole number."""
    return escaped(str(sent)[:LONGEST_ID]) if isinstance(sent, str | int) and sent != "" else None


def _words(sent: Any) -> str:
    """The text of a message, whatever type it was sent as."""
    return str(sent) if isinstance(sent, str) else dumps_exact(sent)


def _code(sent: Mapping[str, Any]) -> int | None:
    try:
        return int(sent.get("code") or sent["status"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _count(sent: Mapping[str, Any], name: str) -> int | None:
    value = sent.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not _WHOLE.fullmatch(str(value)):
        raise ValueError(f"metadata.{name} is not a whole number")
    count = int(str(value).partition(".")[0])
    if count < 0:
        raise ValueError(f"metadata.{name} is negative")
    return count
