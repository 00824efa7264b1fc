"""F11: the broker's clock decides, and a machine whose own clock is far from it is told so."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from tests.support.desk import THURSDAY, desk, shares

HELD = {100: [shares("100", "150.50", cost="14500.00", day="2025-10-30")]}

DAY = date(2025, 10, 30)
#: By how many milliseconds, whether on loopback, and what is said.
SKEWS = [
    (120_000, False, []),
    (120_001, False, [("WARN", "120001", "120000")]),
    (-86_400_000, False, [("WARN", "-86400000", "120000")]),
    (86_400_000, False, [("WARN", "86400000", "120000")]),
    (86_400_000, True, []),
]
DAYS = [
    ("2024-02-29T21:30:00+00:00", "2024-02-29", "POST_CLOSE"),  # a leap day
    ("2025-03-10T20:30:00+00:00", "2025-03-10", "POST_CLOSE"),  # the first session of summer time
    ("2025-11-03T20:30:00+00:00", "2025-11-03", "INTRADAY"),  # the first of winter time: not closed yet
    ("2025-11-28T06:30:00+00:00", "2025-11-26", "LATE"),  # the night after a holiday
    ("2025-11-28T18:30:00+00:00", "2025-11-28", "POST_CLOSE"),  # a half day
]


def test_a_clock_two_minutes_off_is_a_finding_but_for_days_that_are_replayed(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.sync(THURSDAY)
        for skew_ms, loopback, said in SKEWS:
            # as a run against the real broker would have left it: no test can have its host
            d.con.execute("update raw.extract_run set clock_skew_ms = ?, is_loopback = ?", [skew_ms, loopback])
            d.build(from_date=DAY, to_date=DAY)
            query = "select severity, value, expected from quality.finding where check_name = 'clock_skew'"
            assert d.ask(query) == said
            assert d.ask("select status from quality.day") == [("COMPLETE",)]


def test_a_sync_belongs_to_the_day_that_the_brokers_clock_says(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions={100: []}, instructions={}) as d:
        for at, day, grade in DAYS:
            snapshot = d.sync(at)
            assert (snapshot.trading_date.isoformat(), snapshot.grade) == (day, grade)
        landed = d.ask("select trading_date::varchar, grade, clock_source from raw.extract_run order by started_at")
        assert landed == [(day, grade, "API") for _, day, grade in DAYS]
