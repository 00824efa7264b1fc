"""A build: what changed and nothing else, all of it or nothing, with every earlier answer kept."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from assets.catalog import TABLES
from pipelines.books import build
from pipelines.errors import BuildFailed, ConfigurationError
from pipelines.warehouse import limits
from pipelines.warehouse.tables import make_empty, make_working, replace_days, replace_whole
from tests.support.desk import FRIDAY, HELD, THURSDAY, desk, fill, hold, shares, totals

pytestmark = pytest.mark.heavy  # evenings, one after the other

ABSURD = "0190c5a2-7e00-7000-8000-00000000abcd"


def test_building_again_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.evening(THURSDAY)
        hold(d, "100", "151.00", "14500.00", "2025-10-31")
        assert d.evening(FRIDAY).changed
        before = d.ask("select * from pnl.position_daily_version order by all")
        again = d.build()
        assert not again.changed
        assert again.spans == []
        # one that can't keep to its share of memory is done without, and its DuckDB may take what it might before
        limit = d.ask("select current_setting('memory_limit'), current_setting('threads')")
        last = next(table for table in TABLES if table.name == "quality.day_finding")
        greedy = "(select len(list(range)) from range(6000000)) > 0"  # of a list nothing can be spilled
        monkeypatch.setitem(vars(last), "select", f"select * from ({last.select}) where {greedy}")
        monkeypatch.setattr(build, "BUILD_THREAD", 16 * 2**20)
        monkeypatch.setattr(limits, "ROWS_A_THREAD", 0)  # of few positions there would be no share to keep to
        with caplog.at_level("INFO", "daybook.build"):
            forced = d.build(from_date=date(2025, 10, 30), to_date=date(2025, 10, 31))
        assert "did not fit" in caplog.text
        assert d.ask("select current_setting('memory_limit'), current_setting('threads')") == limit
        assert forced.spans == [(date(2025, 10, 30), date(2025, 10, 31))]
        assert not forced.changed
        assert d.ask("select * from pnl.position_daily_version order by all") == before


def test_a_build_leaves_no_working_file_and_takes_away_what_a_killed_one_left(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.settings.working.mkdir()
        (d.settings.working / "position_change.parquet").write_bytes(b"half a file")
        assert d.evening(THURSDAY).changed
        assert not d.settings.working.exists()


def test_the_same_snapshot_taken_twice_adds_no_version(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.evening(THURSDAY)
        built = d.evening("2025-10-30T21:30:00+00:00")
        assert built.spans == [(date(2025, 10, 30), date(2025, 10, 30))]
        assert not built.changed


def test_a_snapshot_in_mid_session_is_no_end_of_day(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.evening("2025-10-30T18:00:00+00:00")
        assert d.ask("select count(*) from core.account_eod") == [(0,)]
        assert d.ask("select count(*) from quality.day") == [(0,)]


def test_a_build_that_fails_leaves_the_books_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.evening(THURSDAY)
        before = totals(d), d.ask("select * from core.position_eod")
        hold(d, "100", "151.00", "14500.00", "2025-10-31")
        d.sync(FRIDAY)
        last = next(table for table in TABLES if table.name == "quality.day_finding")
        monkeypatch.setitem(vars(last), "select", "select 1/0 as trading_date, cast('x' as int) as broken")
        with pytest.raises(BuildFailed, match="changed nothing"):
            d.build()
        assert (totals(d), d.ask("select * from core.position_eod")) == before
        monkeypatch.undo()
        assert d.build().changed
        assert len(totals(d)) == 2


def test_asking_for_days_in_the_wrong_order_is_refused(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.sync(THURSDAY)
        with pytest.raises(ConfigurationError, match="is after --to"):
            d.build(from_date=date(2025, 10, 31), to_date=date(2025, 10, 30))


def test_an_account_whose_positions_fail_does_not_stop_the_others(tmp_path: Path) -> None:
    books = {
        100: [shares("100", "150.50", cost="14500.00", day="2025-10-30")],
        200: [shares("10", "150.50", cost="1450.00", day="2025-10-30", account=200)],
    }
    with desk(tmp_path, accounts=[100, 200], positions=books, instructions={}) as d:
        d.evening(THURSDAY)
        d.broker.forbidden = {("200", "positions")}
        hold(d, "100", "151.00", "14500.00", "2025-10-31")
        d.evening(FRIDAY)
        assert d.ask("select account_id from pnl.account_daily where trading_date = '2025-10-31'") == [("100",)]
        assert d.ask("select account_id, reason from quality.gap") == [("200", "FETCH_FAILED")]
        assert d.ask("select status, accounts_complete from quality.day where trading_date = '2025-10-31'") == [
            ("INCOMPLETE", 1)
        ]
        assert d.ask("select total_pnl from pnl.firm_daily where trading_date = '2025-10-31'") == [(None,)]


def test_where_only_instructions_fail_the_pnl_stands_and_the_day_is_incomplete(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.evening(THURSDAY)
        d.broker.forbidden = {("100", "instructions")}
        hold(d, "100", "151.00", "14500.00", "2025-10-31")
        d.evening(FRIDAY)
        assert totals(d)[-1] == (date(2025, 10, 31), Decimal(50))
        assert d.ask("select status from quality.day where trading_date = '2025-10-31'") == [("INCOMPLETE",)]


def test_rows_of_a_load_that_was_never_committed_are_not_derived_from(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.sync(THURSDAY)
        d.con.execute("delete from raw._dlt_loads")
        d.build()
        assert d.ask("select count(*) from core.account_eod") == [(0,)]


def test_a_snapshot_with_fewer_rows_than_its_manifest_promises_is_not_derived_from(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.sync(THURSDAY)
        d.con.execute("delete from raw.positions")
        d.build()
        assert d.ask("select reason from quality.gap") == [("INCOMPLETE_SNAPSHOT",)]


def test_every_money_and_quantity_column_is_an_exact_decimal(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.evening(THURSDAY)
        floats = d.ask(
            """
            select schema_name, table_name, column_name, data_type from duckdb_columns()
            where schema_name in ('raw', 'core', 'pnl', 'quality') and data_type in ('DOUBLE', 'FLOAT')
                and not starts_with(table_name, '_dlt')
            """
        )
        assert floats == []
        assert d.ask("select typeof(total_pnl), typeof(quantity), typeof(known_from) from pnl.position_daily") == [
            ("DECIMAL(28,10)", "DECIMAL(24,8)", "TIMESTAMP WITH TIME ZONE")
        ]


def test_the_warehouse_opens_again_with_everything_in_it(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.evening(THURSDAY)
    with duckdb.connect(tmp_path / "warehouse.duckdb", read_only=True) as con:
        assert con.execute("select status from pnl.position_daily").fetchall() == [("OPENING",)]


def test_one_absurd_row_is_unknown_and_the_rest_of_the_book_is_built(tmp_path: Path) -> None:
    """Each number fits its column, and what they make together fits none."""
    most = "9999999999999999.99999999"
    other: dict[str, Any] = {"instrument_id": ABSURD, "symbol": "ABSURD"}
    absurd = shares(most, most, cost="1.00", day="2025-10-30", market_value="1.00", unrealized_pnl=None, **other)
    with desk(tmp_path, accounts=[100], positions={100: [*HELD[100], absurd]}, instructions={}) as d:
        d.evening(THURSDAY)
        held = [shares("100", "151.00", cost="14500.00", day="2025-10-31"), absurd]
        d.broker.positions["100"] = held
        d.broker.books["executions"] = {"100": [fill(1, "BUY", most, most, "2025-10-31T15:00:00Z") | other]}
        d.evening(FRIDAY)
        pnl = "select symbol, total_pnl from pnl.position_daily where trading_date = '2025-10-31' order by symbol"
        assert d.ask(pnl) == [("AAPL", Decimal(50)), ("ABSURD", None)]
        unpriced = "select unpriced_fills, bought_quantity from core.trade_flow"
        assert d.ask(unpriced) == [(1, Decimal(most))]


def test_a_new_table_keeps_every_row_that_its_first_transaction_puts_in() -> None:
    """DuckDB 1.5.5 loses them where an empty select made the table: 130,000 rows go in and none is there."""
    with duckdb.connect() as con:
        con.execute("set threads = 2")
        con.execute("create schema core")
        con.execute("begin")
        rows = "select date '2025-10-31' as trading_date, range as number from range(130000)"
        make_empty(con, "core.many", rows, {})
        replace_days(con, "core.many", rows, {"from_date": date(2025, 10, 31), "to_date": date(2025, 10, 31)})
        assert con.execute("select count(*) from core.many").fetchone() == (130000,)
        con.execute("commit")
        assert con.execute("select count(*) from core.many").fetchone() == (130000,)


def test_rows_that_the_database_loses_are_missed_at_once() -> None:
    """The same defect, met head on: it must be gone, or noticed before anything is committed."""
    with duckdb.connect() as con:
        con.execute("set threads = 2")
        con.execute("create schema core")
        con.execute("begin")
        rows = "select date '2025-10-31' as trading_date, range as number from range(130000)"
        con.execute(f"create table core.many as select * from ({rows}) where false")
        days = {"from_date": date(2025, 10, 31), "to_date": date(2025, 10, 31)}
        try:
            replace_days(con, "core.many", rows, days)
        except BuildFailed as error:
            assert "130000 rows were written to core.many and" in str(error)  # noqa: PT017  (either will do)
        else:
            assert con.execute("select count(*) from core.many").fetchone() == (130000,)


def test_an_exposure_that_no_column_holds_is_unknown_and_hides_nothing_else(tmp_path: Path) -> None:
    almost_nothing = {100: {"account_id": 100, "equity": "0.0001"}}
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}, balances=almost_nothing) as d:
        d.evening(THURSDAY)
        asked = "select gross, net, gross_pct, net_pct, position_count from pnl.exposure_daily"
        assert d.ask(asked) == [(Decimal(15050), Decimal(15050), None, None, 1)]


def test_sums_and_returns_that_no_column_holds_are_unknown_and_every_view_answers(tmp_path: Path) -> None:
    """Each position's value fits its column, and their sum fits none; so with returns."""

    def book(value: str, day: str) -> list[dict[str, Any]]:
        return [
            shares("1", "1.00", cost="1.00", day=day, market_value=value, instrument_id=f"{ABSURD[:-1]}{number}")
            for number in range(2)
        ]

    def earned(day: str, start: str, net: str) -> dict[str, Any]:
        end = str(Decimal(start) + Decimal(net))
        return {
            "date": day,
            "sod_equity": start,
            "eod_equity": end,
            "realized_pnl": "0",
            "unrealized_pnl": net,
            "net_pnl": net,
        }

    days = ["2025-10-30", "2025-10-31"]
    history = {100: [earned(day, "1", "50000000") for day in days], 200: [earned(days[1], "0.0001", "50000")]}
    books: dict[str, Any] = {"positions": {100: book("1.00", days[0]), 200: []}, "history": history}
    with desk(tmp_path, accounts=[100, 200], instructions={}, **books) as d:
        d.evening(THURSDAY)
        d.broker.positions["100"] = book("900000000000000000.00", days[1])
        d.evening(FRIDAY)
        for table in TABLES:
            if table.lasts:
                d.ask(f"select * from {table.name}")
        account = "where account_id = '{}' and trading_date = '2025-10-31'"
        assert d.ask(f"select gross, position_count from pnl.exposure_daily {account.format(100)}") == [(None, 2)]
        assert d.ask(f"select daily_return from pnl.account_daily {account.format(100)}") == [(Decimal(50_000_000),)]
        assert d.ask(f"select twr_itd from pnl.period {account.format(100)}") == [(None,)]
        assert d.ask(f"select daily_return from pnl.account_daily {account.format(200)}") == [(None,)]


def test_no_working_file_is_written_over_for_duckdb_may_answer_with_what_it_read_before(tmp_path: Path) -> None:
    with duckdb.connect() as con:
        seen = []
        for number in range(3):
            make_working(con, "shown", tmp_path, f"select {number} as number", {})
            assert con.execute("from shown").fetchall() == [(number,)]
            (file,) = tmp_path.iterdir()
            seen.append(file.name)
    assert len(set(seen)) == 3


def test_a_small_table_is_written_again_only_where_its_rows_are_others() -> None:
    with duckdb.connect() as con:
        con.execute("create schema core; create table core.small as select 1 as a, 'one' as b")
        rows = "select rowid, a, b from core.small order by all"
        replace_whole(con, "core.small", "select 'one' as b, 1 as a", {})
        assert con.execute(rows).fetchall() == [(0, 1, "one")]
        replace_whole(con, "core.small", "select 'one' as b, 1 as a union all select 'one', 1", {})
        assert [row[1:] for row in con.execute(rows).fetchall()] == [(1, "one"), (1, "one")]
        replace_whole(con, "core.small", "select null as b, 2 as a", {})
        assert [row[1:] for row in con.execute(rows).fetchall()] == [(2, None)]
        replace_whole(con, "core.small", "select null as b, 2 as a where false", {})
        assert con.execute(rows).fetchall() == []
