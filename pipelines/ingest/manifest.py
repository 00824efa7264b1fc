"""What every run writes about itself in the same way, whether it reads or trades: quarantined rows, JSON columns."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from models.problem import Rejected


def quarantined(run_id: str, account_id: str, endpoint: str, rejected: Iterable[Rejected]) -> list[dict[str, object]]:
    """The rows of raw.quarantine for what one answer or listing had that could not be understood."""
    return [
        {
            "run_id": run_id,
            "account_id": account_id,
            "endpoint": endpoint,
            "ordinal": ordinal,
            "identity": each.identity,
            "reason": each.reason,
            "row_text": each.text,
        }
        for ordinal, each in enumerate(rejected)
    ]


def as_json(value: object) -> str:
    """What a column of the manifest holds whole: lists and dicts, and dataclasses such as findings."""
    return orjson.dumps(value).decode()
