"""What the published copy tells of the books before anything runs: from when to when, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import duckdb

from pipelines.errors import DaybookError
from pipelines.settings import Settings
from pipelines.warehouse.connect import open_published

_DAYS = "select min(trading_date), max(trading_date) from core.expected_day"
_REPLAYED = "select is_loopback from raw.extract_run order by run_id desc limit 1"


@dataclass(frozen=True)
class KnownBooks:
    """The first and last trading date of the books, None where nothing is published that can be read; and whether a
    stand-in broker has filled them, or is to."""

    first: date | None
    last: date | None
    replayed: bool


def known_books(settings: Settings) -> KnownBooks:
    """The books of a home, as far as they are published. Raises nothing."""
    try:
        with open_published(settings.books) as con:
            days, replayed = con.execute(_DAYS).fetchone(), con.execute(_REPLAYED).fetchone()
    except (DaybookError, duckdb.Error):
        return KnownBooks(None, None, settings.is_loopback)
    first, last = days or (None, None)
    return KnownBooks(first, last, bool(replayed and replayed[0]) or settings.is_loopback)
