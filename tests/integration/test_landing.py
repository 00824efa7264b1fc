"""Landing: what was read is in raw.* whole, once, with its manifest; what could not be read or loaded is never lost."""

from __future__ import annotations

import gc
import hashlib
import json
import weakref
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import zstandard

from models.shapes import POSITIONS
from pipelines.broker.columns import to_batch, with_run
from pipelines.calendar import TradingCalendar
from pipelines.errors import ConfigurationError, NoAccountList, WrongWarehouse
from pipelines.ingest.landing import broker_source, extract, load
from pipelines.warehouse.connect import remember_broker
from pipelines.warehouse.dlt_pipeline import open_pipeline
from tests.support.broker_server import Fault, position
from tests.support.desk import AAPL, FRIDAY, THURSDAY, Desk, desk, shares

HELD = {100: [shares("100", "150.50", cost="14500.00", day="2025-10-30")]}


def _earlier_run(d: Desk, run_id: str = "20251029T203000Z-00000000") -> dict[str, list[pa.Table]]:
    rows = [shares("7", "150.00", cost="1000.00", day="2025-10-29") | {"account_id": "100"}]
    return {"positions": [with_run(run_id, to_batch(POSITIONS, rows))]}


def test_fetched_and_flat_failed_and_never_asked_are_three_facts(tmp_path: Path) -> None:
    books: dict[str, Any] = {"positions": {100: [], 200: []}, "instructions": {}}
    with desk(tmp_path, accounts=[100, 200], forbidden={(200, "positions")}, **books) as d:
        d.sync(THURSDAY)
        assert d.ask(
            """
            select account_id, status, complete, rows_landed, http_status from raw.extract_manifest
            where endpoint = 'positions' order by account_id
            """
        ) == [("100", "COMPLETE", True, 0, 200), ("200", "FAILED", False, 0, 403)]
        assert d.ask("select status, http_status from raw.extract_manifest where endpoint = 'option_contracts'") == [
            ("NOT_ASKED", None)
        ]


def test_every_raw_table_exists_after_the_first_run_even_without_rows(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions={100: []}, instructions={}) as d:
        d.sync(THURSDAY)
        tables = {row[0] for row in d.ask("select table_name from duckdb_tables() where schema_name = 'raw'")}
        contract = "extract_run extract_manifest accounts positions position_instructions executions orders balances "
        contract += "portfolio_history option_contracts corporate_events market_hours market_snapshot quarantine"
        assert set(contract.split()) <= tables


def test_what_is_extracted_lies_in_files_and_in_memory_no_longer(tmp_path: Path) -> None:
    """Whatever dlt keeps of a run until Python looks for what has itself in it: of a large one hundreds of MB."""
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.sync(THURSDAY)
        tables = _earlier_run(d)
        kept = weakref.ref(tables["positions"][0])
        pipeline = open_pipeline(d.con, d.settings.dlt)
        gc.disable()
        try:
            extract(pipeline, tables)
            del tables
            assert kept() is None
        finally:
            gc.enable()
        load(pipeline)
        assert d.ask("select count(*) from raw.positions") == [(2,)]


def test_a_table_that_is_there_and_of_which_nothing_was_read_is_not_loaded(tmp_path: Path) -> None:
    with desk(tmp_path, has_tables=False, accounts=[100], positions=HELD, instructions={}) as d:
        for evening in (THURSDAY, FRIDAY):
            d.sync(evening)
            trace: Any = open_pipeline(d.con, d.settings.dlt).last_trace
            jobs = trace.last_load_info.load_packages[0].jobs["completed_jobs"]
            loaded = {job.job_file_info.table_name for job in jobs} - {"_dlt_pipeline_state"}
            assert ("positions" in loaded, "quarantine" in loaded) == (True, evening == THURSDAY)
        assert d.ask("select count(*) from raw.positions") == [(2,)]


@pytest.mark.parametrize("of_the_setting", ["LOAD__", "daybook__LOAD__", ""])
def test_no_variable_of_the_environment_decides_how_a_run_is_landed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_the_setting: str
) -> None:
    """Variables that dlt would take for settings of its own: a number of workers that is none, and a file format."""
    for name, value in {"WORKERS": "nonsense", "PREFERRED_LOADER_FILE_FORMAT": "csv", "DEV_MODE": "true"}.items():
        monkeypatch.setenv(f"{of_the_setting}{name}".upper(), value)
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.sync(THURSDAY)
        assert d.ask("select count(*) from raw.positions") == [(1,)]


def test_a_package_that_an_earlier_run_left_is_loaded_before_today_is(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.sync(THURSDAY)
        pipeline = open_pipeline(d.con, d.settings.dlt)
        pipeline.extract(broker_source(_earlier_run(d)), loader_file_format="parquet")
        snapshot = d.sync(FRIDAY)
        assert snapshot.alerts == []
        assert d.ask("select run_id[:8], quantity from raw.positions order by run_id") == [
            ("20251029", Decimal(7)),
            ("20251030", Decimal(100)),
            ("20251031", Decimal(100)),
        ]


def test_a_package_that_can_not_be_loaded_is_set_aside_whole_and_today_is_landed(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        d.sync(THURSDAY)
        pipeline = open_pipeline(d.con, d.settings.dlt)
        pipeline.extract(broker_source(_earlier_run(d)), loader_file_format="parquet")
        pipeline.normalize()
        spoilt = next(Path(pipeline.working_dir).rglob("new_jobs/positions.*.parquet"))
        spoilt.write_bytes(b"not parquet")
        snapshot = d.sync(FRIDAY)
        assert len(snapshot.alerts) == 1
        assert "could not be loaded" in snapshot.alerts[0]
        kept = list((tmp_path / "quarantine").rglob("positions.*.parquet"))
        assert [path.read_bytes() for path in kept] == [b"not parquet"]
        assert d.ask("select count(*) from raw.positions") == [(2,)]


def test_a_value_with_more_digits_than_its_column_is_quarantined_with_its_exact_text(tmp_path: Path) -> None:
    exact = "15050.123456789012345"
    good = shares("5", "1.00", cost="5.00", day="2025-10-30", instrument_id="other", symbol="B")
    bad = shares("100", "150.50", cost="14500.00", day="2025-10-30", market_value=exact)
    with desk(tmp_path, accounts=[100], positions={100: [bad, good]}, instructions={}) as d:
        snapshot = d.sync(THURSDAY)
        d.build()
        assert not snapshot.is_complete
        ((reason, text),) = d.ask("select reason, row_text from raw.quarantine")
        assert "market_value" in reason
        assert json.loads(text)["market_value"] == exact
        assert d.ask("select reason from quality.gap") == [("INCOMPLETE_SNAPSHOT",)]


def test_an_average_price_with_too_many_digits_is_rounded_and_its_exact_text_is_a_finding(tmp_path: Path) -> None:
    exact = "145.123456785000001"
    book = {100: [shares("100", "150.50", cost="14500.00", day="2025-10-30", avg_price=exact)]}
    with desk(tmp_path, accounts=[100], positions=book, instructions={}) as d:
        d.evening(THURSDAY)
        assert d.ask("select avg_price from core.position_eod") == [(Decimal("145.12345679"),)]
        assert d.ask("select value from quality.finding where check_name = 'inexact_decimal'") == [(exact,)]
        assert d.ask("select status from quality.day") == [("COMPLETE",)]


def test_what_no_model_knows_is_kept_and_counted(tmp_path: Path) -> None:
    row = shares("100", "150.50", cost="14500.00", day="2025-10-30", instrument_type="SPACESHIP", colour={"a": [1]})
    with desk(tmp_path, accounts=[100], positions={100: [row]}, instructions={}) as d:
        d.evening(THURSDAY)
        assert d.ask("select instrument_type, extra from raw.positions") == [("SPACESHIP", '{"colour":{"a":[1]}}')]
        seen = json.loads(d.ask("select fields_seen from raw.extract_manifest where endpoint = 'positions'")[0][0])
        assert seen["unknown_fields"] == {"colour": 1}
        assert seen["unknown_enums"] == {"instrument_type=SPACESHIP": 1}


def test_every_page_is_in_the_archive_as_it_came(tmp_path: Path) -> None:
    book = {100: [position(100, number) for number in range(25)]}
    with desk(tmp_path, accounts=[100], positions=book, instructions={}, most_rows=10) as d:
        snapshot = d.sync(THURSDAY)
        folder = next(d.settings.archive.rglob(snapshot.run_id))
        ((listed,),) = d.ask("select archive_files from raw.extract_manifest where endpoint = 'positions'")
        pages = json.loads(listed)
        assert [(entry["read"], entry["page"]) for entry in pages] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
        written = (folder / pages[0]["file"]).read_bytes()
        first = zstandard.ZstdDecompressor().decompress(written[pages[0]["offset"] :])
        assert [row["symbol"] for row in json.loads(first)["data"]][:2] == ["S000000", "S000001"]
        assert hashlib.sha256(first).hexdigest() == pages[0]["sha256"]
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_another_trading_day_than_the_broker_clocks_is_refused_before_a_page_is_read(tmp_path: Path) -> None:
    with desk(tmp_path, accounts=[100], positions=HELD, instructions={}) as d:
        with pytest.raises(ConfigurationError, match=r"trading day 2025-10-30, so 2025-10-29 can't be read"):
            d.sync(THURSDAY, partition=date(2025, 10, 29))
        assert d.broker.asked("/positions") == []


def test_a_list_of_accounts_that_is_not_whole_promotes_nothing(tmp_path: Path) -> None:
    faults = [Fault("accounts", times=None, status=403)]
    with desk(tmp_path, has_tables=False, accounts=[100], positions=HELD, instructions={}, faults=faults) as d:
        with pytest.raises(NoAccountList, match="nothing was landed"):
            d.sync(THURSDAY)
        assert d.ask("select count(*) from duckdb_tables() where schema_name = 'raw' and table_name = 'positions'") == [
            (0,)
        ]


def test_an_account_that_left_the_list_is_still_expected(tmp_path: Path) -> None:
    books = {100: HELD[100], 200: []}
    with desk(tmp_path, accounts=[100, 200], positions=books, instructions={}) as d:
        d.evening(THURSDAY)
        d.broker.accounts = d.broker.accounts[:1]
        snapshot = d.sync(FRIDAY)
        assert (snapshot.accounts_expected, snapshot.accounts_complete) == (2, 1)


def test_a_closed_account_is_no_longer_expected(tmp_path: Path) -> None:
    books = {100: HELD[100], 200: []}
    with desk(tmp_path, accounts=[100, 200], positions=books, instructions={}) as d:
        d.evening(THURSDAY)
        d.broker.accounts[1].update(status="CLOSED", close_date="2025-10-30")
        snapshot = d.sync(FRIDAY)
        assert (snapshot.accounts_expected, snapshot.accounts_complete) == (1, 1)


def test_accounts_can_be_narrowed_and_a_stranger_among_them_is_named(tmp_path: Path) -> None:
    books = {100: HELD[100], 200: []}
    with desk(tmp_path, accounts=[100, 200], positions=books, instructions={}) as d:
        d.settings = d.settings.model_copy(update={"accounts": ("100",)})
        assert d.sync(THURSDAY).accounts_expected == 1
        d.settings = d.settings.model_copy(update={"accounts": ("100", "999")})
        with pytest.raises(ConfigurationError, match="999, which this key does not see"):
            d.sync(THURSDAY)


def test_a_warehouse_of_another_broker_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    with desk(tmp_path, has_tables=False, accounts=[100], positions=HELD, instructions={}) as d:
        remember_broker(d.con, "api.clearstreet.com")
        with pytest.raises(WrongWarehouse, match=r"api\.clearstreet\.com"):
            d.sync(THURSDAY)
        assert d.broker.requests == []


def test_prices_are_asked_for_of_options_that_expire_soon_and_of_what_they_are_on(tmp_path: Path) -> None:
    def option(name: str, symbol: str, stock: str) -> dict[str, Any]:
        return shares(
            "1", "2.70", cost="250.00", day="2025-10-30", instrument_id=name, symbol=symbol, instrument_type="OPTION",
            underlying_instrument_id=stock, market_value="270.00", unrealized_pnl="20.00",
        )  # fmt: skip

    held = [
        option("soon", "XYZ   251105C00190000", "xyz"),
        option("saturday", "ABC   251101C00190000", "abc"),
        option("later", "FAR   251106C00190000", "far"),
        option("adjusted", "a name of its own", "own"),
        shares("100", "150.50", cost="14500.00", day="2025-10-30"),
    ]
    with desk(tmp_path, accounts=[100], positions={100: held}, instructions={}) as d:
        assert d.sync(THURSDAY).is_complete
        (request,) = d.broker.asked("/market-data/snapshot")
        assert request.query["instrument_ids"].split(",") == ["abc", "adjusted", "own", "saturday", "soon", "xyz"]
        query = "select status, http_status, rows_landed from raw.extract_manifest where endpoint = 'market_snapshot'"
        assert d.ask(query) == [("FAILED", 403, 0)]
        d.broker.snapshots = [{"instrument_id": "xyz", "symbol": "XYZ", "last_trade": {"price": "1.5", "size": 1}}]
        d.sync(FRIDAY)
        assert d.ask("select instrument_id, last_trade from raw.market_snapshot") == [
            ("xyz", '{"price":"1.5","size":1}')
        ]


def test_an_evening_is_read_up_to_the_last_session_that_is_known(tmp_path: Path) -> None:
    last = TradingCalendar.load().sessions(date(2025, 10, 30), TradingCalendar.load().last)[-3:]
    for session in last:
        day = session.date.isoformat()
        option = shares(
            "1", "2.70", cost="250.00", day=day, instrument_id="near", symbol="a name of its own",
            instrument_type="OPTION", market_value="270.00", unrealized_pnl="20.00",
        )  # fmt: skip
        with desk(tmp_path / day, accounts=[100], positions={100: [option]}, instructions={}) as d:
            assert d.sync((session.close + timedelta(minutes=30)).isoformat()).is_complete
            assert len(d.broker.asked("/market-data/snapshot")) == 1


def test_contracts_are_asked_for_once_and_kept(tmp_path: Path) -> None:
    option = shares(
        "10", "2.70", cost="2500.00", day="2025-10-30", instrument_id="c0de", symbol="XYZ251219C00190000",
        instrument_type="OPTION", underlying_instrument_id=AAPL, market_value="2700.00", unrealized_pnl="200.00",
    )  # fmt: skip
    contract = {"id": "c0de", "symbol": "XYZ", "multiplier": "100", "strike_price": "190", "expiry": "2025-12-19"}
    contract |= {"contract_type": "CALL"}
    with desk(tmp_path, accounts=[100], positions={100: [option]}, instructions={}, contracts=[contract]) as d:
        d.evening(THURSDAY)
        d.evening(FRIDAY)
        assert len(d.broker.asked("/contracts")) == 1
        assert (
            d.ask("select multiplier, multiplier_source, option_strike from core.position_eod")
            == [(Decimal(100), "CONTRACT", Decimal(190))] * 2
        )
