"""Writes pipelines/sessions.csv from exchange_calendars: `.venv-test/bin/python tests/tools/generate_sessions.py`.

Run it once a year, when the exchange has announced another year, and move LAST_DAY. The library brings pandas,
which is why it stays here and a table is shipped.
"""

from __future__ import annotations

from pathlib import Path

import exchange_calendars

FIRST_DAY = "2000-01-01"
LAST_DAY = "2028-12-31"  # a year past the library's own horizon: the holiday rules are settled that far
SHIPPED = Path(__file__).parents[2] / "pipelines" / "sessions.csv"


def lines() -> list[str]:
    """The table, line by line: a session's date, and its close in New York where that is not 16:00."""
    calendar = exchange_calendars.get_calendar("XNYS", start=FIRST_DAY, end=LAST_DAY)
    opens = calendar.opens.dt.tz_convert("America/New_York").dt.strftime("%H:%M")
    assert set(opens) == {"09:30"}, "the table has no column for another opening time"
    closes = calendar.closes.dt.tz_convert("America/New_York").dt.strftime("%H:%M")
    rows = [f"{day:%Y-%m-%d},{'' if close == '16:00' else close}" for day, close in closes.items()]
    return [
        f"# NYSE sessions (XNYS) {FIRST_DAY} to {LAST_DAY}, from exchange_calendars {exchange_calendars.__version__},",
        "# written by tests/tools/generate_sessions.py. Every session opens at 09:30 New York time and closes at 16:00",
        "# or at the time named here.",
        "date,close",
        *rows,
    ]


if __name__ == "__main__":
    SHIPPED.write_text("\n".join(lines()) + "\n", encoding="utf-8")
