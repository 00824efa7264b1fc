"""How the stand-in writes things down: decimals as text, instants, the envelope, errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from email.utils import format_datetime
from typing import Any

import orjson
from starlette.responses import Response

Json = dict[str, Any]


class ErrorAnswer(Exception):
    """An answer other than 2xx. `data` are rows that go out beside the error."""

    def __init__(self, status: int, message: str, data: list[Json] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.data = status, message, data


@dataclass(frozen=True, slots=True)
class HandlerAnswer:
    """What a handler found: `data` is JSON-ready, or bytes of JSON already. `page` joins the metadata."""

    data: Any
    page: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    error: Json | None = None


def respond(answer: HandlerAnswer, request_id: str, now: datetime) -> Response:
    """The success envelope: data, metadata, and an error that is null unless some rows failed (207)."""
    metadata = orjson.dumps({"request_id": request_id, **answer.page})
    data = answer.data if isinstance(answer.data, bytes) else orjson.dumps(answer.data)
    body = b"".join((b'{"data":', data, b',"error":', orjson.dumps(answer.error), b',"metadata":', metadata, b"}"))
    return _json(body, answer.status, now)


def refuse(refused: ErrorAnswer, request_id: str, now: datetime, *, bare: bool) -> Response:
    """An error: in the envelope, as every example of the specification has it, or bare, as its schemas say."""
    error: Json = {"code": refused.status, "message": refused.message}
    body = error if bare else {"error": error, "metadata": {"request_id": request_id}}
    if refused.data is not None:
        body = {"data": refused.data, "error": error, "metadata": {"request_id": request_id}}
    return _json(orjson.dumps(body), refused.status, now)


def _json(body: bytes, status: int, now: datetime) -> Response:
    # The Date header tells the replayed time too: a caller that has to fall back on it gets the same day.
    return Response(body, status, {"date": format_datetime(now, usegmt=True)}, "application/json")


def quantity_text(value: Decimal) -> str:
    """A quantity, exact, without trailing zeros."""
    return format(value.normalize(), "f") if value else "0"


def money_text(value: Decimal) -> str:
    """Money or a price, exact, with two decimals at least."""
    if not value:
        return "0.00"
    text = format(value.normalize(), "f")
    places = len(text.partition(".")[2])
    return text if places >= 2 else format(value, ".2f")


def average(amount: Decimal, units: Decimal) -> str:
    """A price worked out by division: half-even to eight decimals."""
    return money_text((amount / units).quantize(Decimal("1e-8"), ROUND_HALF_EVEN))


def percent(part: Decimal, whole: Decimal) -> str | None:
    """`part` in per cent of `whole` without its sign, two decimals half-even; null where `whole` is 0."""
    return format((part * 100 / abs(whole)).quantize(Decimal("0.01"), ROUND_HALF_EVEN), "f") if whole else None


def nanoseconds(at: datetime) -> str:
    """An instant with nine digits: the clock and orders."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z"


def microseconds(at: datetime) -> str:
    """An instant with six digits: executions."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def seconds(at: datetime) -> str:
    """An instant without a fraction: instructions and cut-offs."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"
