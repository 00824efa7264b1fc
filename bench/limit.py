"""The least that one more day of P&L could cost: DuckDB reads the rows that it is made of, and writes as many.

It reads every column of the positions that the day landed, of the positions at the end of the day before, and of that
day's P&L; it writes a day of both into tables of the same columns, and commits. It joins nothing and computes nothing.
"""

from __future__ import annotations

from datetime import date

import duckdb

#: What a build writes that has a row for each position; the rest of what it writes is a row for each account.
WRITTEN = ("core.position_eod", "pnl.position_daily_version")


class Limit:
    """One day's least, in the warehouse that is open in `con`, where the day is landed."""

    def __init__(self, con: duckdb.DuckDBPyConnection, before: date, day: date) -> None:
        self.con, self.before, self.day = con, before, day
        con.execute("create schema if not exists bench_limit")
        for name in WRITTEN:
            con.execute(f"create table if not exists {_copy_of(name)} as (select * from {name}) with no data")

    def run(self) -> None:
        """Read and write the day, in one transaction."""
        self.con.execute("begin")
        self._read_landed()
        for name in WRITTEN:
            self.con.execute(
                f"insert into {_copy_of(name)} select * replace ($day as trading_date) from {name} "
                "where trading_date = $before",
                {"day": self.day, "before": self.before},
            )
        self.con.execute("commit")

    def check(self) -> None:
        """As many rows are there as the build wrote."""
        for name in WRITTEN:
            counts = [f"(select count(*) from {each} where trading_date = $day)" for each in (name, _copy_of(name))]
            found = self.con.execute(f"select {', '.join(counts)}", {"day": self.day}).fetchone()
            assert found
            assert found[0] == found[1], (name, found)

    def _read_landed(self) -> None:
        columns = [f"max({column})" for column, *_ in self.con.execute("describe raw.positions").fetchall()]
        self.con.execute(
            f"select {', '.join(columns)} from raw.positions "
            "where run_id in (select run_id from raw.extract_run where trading_date = $day)",
            {"day": self.day},
        ).fetchall()


def _copy_of(name: str) -> str:
    return f"bench_limit.{name.partition('.')[2]}"
