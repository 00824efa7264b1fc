"""The catalogue: a new table is one .sql file and one line, and whoever walks the list goes on working."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from assets.catalog import CATALOG
from assets.orchestration import specs
from pipelines.books.as_known import open_known
from pipelines.books.build import build
from pipelines.books.catalog import Table
from pipelines.books.dictionary import entries
from pipelines.report.content import collect_report
from pipelines.warehouse.publish import PUBLISHED_SCHEMAS, publish
from pipelines.warehouse.verify import verify_home
from tests.support.desk import FRIDAY, THURSDAY, desk, shares

SIDES = """\
-- How many positions of each account are long and short at the end of each day, cash apart.
select
    account_id,
    trading_date,
    count(*) filter (where quantity > 0) as long_count,
    count(*) filter (where quantity < 0) as short_count
from core.position_eod
where trading_date between $from_date and $to_date and instrument_type <> 'CASH'
group by account_id, trading_date
"""
FIRM = """\
-- How many positions of all accounts are long and short, day by day, from the table of the same name.
select
    trading_date,
    sum(long_count) as long_count,
    sum(short_count) as short_count
from core.side_daily
group by trading_date
"""


def test_a_table_that_another_one_reads_is_two_files_and_two_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sides.sql").write_text(SIDES)
    (tmp_path / "firm.sql").write_text(FIRM)
    catalog = replace(
        CATALOG,
        tables=(
            *CATALOG.tables,
            Table("core.side_daily", "days", tmp_path / "sides.sql"),
            Table("pnl.firm_side_daily", "view", tmp_path / "firm.sql"),
        ),
    )
    held = {100: [shares("100", "71", cost="7000", day="2025-10-30")]}
    with desk(tmp_path / "home", accounts=[100], positions=held) as d:
        d.sync(THURSDAY)
        d.build()  # books of a daybook that has no such tables yet
        d.sync(FRIDAY)
        build(d.con, d.settings, catalog)
        rows = d.ask("select trading_date::varchar, long_count, short_count from pnl.firm_side_daily order by all")
        assert rows == [("2025-10-30", 1, 0), ("2025-10-31", 1, 0)]
        assert not build(d.con, d.settings, catalog).changed
        publish(d.con, d.settings.published, PUBLISHED_SCHEMAS)
        assert verify_home(d.con, d.settings).problems == []
    with open_known(catalog, d.settings.published, None, None, ()) as books:
        assert books.con.execute("select long_count, short_count from pnl.firm_side_daily").fetchall() == [(1, 0)]
        assert collect_report(books).day == date(2025, 10, 31)
    described = entries(catalog)
    assert described["core.side_daily"].description.startswith("How many positions of each account")
    assert [column.name for column in described["pnl.firm_side_daily"].columns] == [
        "trading_date", "long_count", "short_count",
    ]  # fmt: skip
    monkeypatch.setattr(specs, "CATALOG", catalog)
    monkeypatch.setattr(specs, "TABLES", catalog.tables)
    monkeypatch.setattr(specs, "entries", lambda: described)  # as the file is once `assets.dictionary_page` has run
    made_from = {spec.key: {dep.asset_key for dep in spec.deps} for spec in specs.book_specs()}
    assert made_from[dg.AssetKey(["core", "side_daily"])] == {dg.AssetKey(["core", "position_eod"])}
    assert made_from[dg.AssetKey(["pnl", "firm_side_daily"])] == {dg.AssetKey(["core", "side_daily"])}
