"""What Dagster is told of daybook: every table, what it is made from, what its columns mean."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import dagster as dg
import duckdb
import pytest
import time_machine

from assets.catalog import CATALOG, TABLES
from assets.orchestration.partitions import trading_days
from dagster_project.definitions import defs
from pipelines.books.dictionary import entries
from pipelines.books.lineage import sources
from pipelines.calendar import TradingCalendar

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return defs()


@pytest.fixture(scope="module")
def specs(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {".".join(spec.key.path): spec for spec in definitions.resolve_all_asset_specs()}


def test_the_definitions_load(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_every_published_table_is_an_asset_and_nothing_else_is(specs: dict[str, dg.AssetSpec]) -> None:
    assert set(specs) == set(entries(CATALOG)) | {"published", "report"}
    assert {table.name for table in TABLES if table.lasts} <= set(specs)


def test_every_asset_says_what_it_and_each_of_its_columns_is(specs: dict[str, dg.AssetSpec]) -> None:
    for name, entry in entries(CATALOG).items():
        spec = specs[name]
        assert spec.description == entry.description
        assert spec.group_name == name.partition(".")[0]
        assert spec.metadata["dagster/table_name"] == name
        schema = spec.metadata["dagster/column_schema"]
        assert isinstance(schema, dg.TableSchema)
        assert [(c.name, c.description) for c in schema.columns] == [(c.name, c.description) for c in entry.columns]
        assert all(column.type for column in schema.columns)
        assert "duckdb" in spec.kinds


def test_assets_depend_on_what_their_sql_reads(specs: dict[str, dg.AssetSpec]) -> None:
    def made_from(name: str) -> set[str]:
        return {".".join(dep.asset_key.path) for dep in specs[name].deps}

    for table in TABLES:
        if table.kind == "versions":
            assert made_from(table.name) == {table.versions}
            assert made_from(table.versions) == sources(CATALOG, table)
        elif table.lasts:
            assert made_from(table.name) == sources(CATALOG, table)
    assert {"raw.positions", "core.account_eod"} <= made_from("core.position_eod")
    # through the working table position_change, which is gone when the build is done
    assert {"core.position_eod", "core.trade_flow", "raw.corporate_events"} <= made_from("pnl.position_daily_version")
    assert made_from("pnl.position_daily_version") <= set(specs)
    assert made_from("core.calendar") == {"raw.market_hours"}


def test_the_published_copy_comes_after_every_table(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    before = dg.AssetSelection.assets("published").upstream().resolve(graph)
    assert {".".join(key.path) for key in before} == set(entries(CATALOG)) | {"published"}


def test_the_partitions_are_the_trading_days_up_to_today() -> None:
    keys = trading_days.get_partition_keys()
    calendar = TradingCalendar.load()
    last = date.fromisoformat(keys[-1])
    assert keys == [session.date.isoformat() for session in calendar.sessions(date(2000, 1, 3), last)]
    assert trading_days.has_partition_key("2005-02-28")
    assert not trading_days.has_partition_key("2005-02-27")  # Sunday
    assert not trading_days.has_partition_key("2005-02-21")  # Washington's Birthday
    assert not trading_days.has_partition_key("2001-09-12")


def published(home: Path, first: str, last: str, *, is_loopback: bool) -> None:
    """A published copy of books from one day to another."""
    home.mkdir()
    with duckdb.connect(home / "daybook.duckdb") as con:
        con.execute("create schema core; create schema raw")
        con.execute(f"create table core.expected_day as select unnest([date '{first}', date '{last}']) as trading_date")
        con.execute(f"create table raw.extract_run as select 'r' as run_id, {is_loopback} as is_loopback")


def days(made: dg.Definitions) -> list[str]:
    graph = made.resolve_asset_graph()
    (partitions,) = {graph.get(key).partitions_def for key in graph.get_all_asset_keys()}
    assert partitions is not None
    return list(partitions.get_partition_keys())


@pytest.mark.parametrize(
    ("books", "url", "on", "begins", "ends", "schedules"),
    [
        (None, None, "on", "2025-11-26", "2025-11-28", "RUNNING"),  # the session before the half day, and that one
        (("2025-10-31", "2025-11-25", False), None, "on", "2025-10-31", "2025-11-28", "RUNNING"),
        (("2025-10-31", "2025-11-25", False), None, "off", "2025-10-31", "2025-11-28", "STOPPED"),
        (("2005-02-01", "2005-03-11", True), None, "on", "2005-02-01", "2005-03-11", "STOPPED"),  # the demo's
        (("2005-02-01", "2005-02-02", True), "http://127.0.0.1:1", "on", "2005-02-01", "2025-11-28", "STOPPED"),
        (None, "http://127.0.0.1:1", "on", "2000-01-03", "2025-11-28", "STOPPED"),
    ],
)
def test_the_days_are_those_that_the_books_can_have_and_books_of_a_stand_in_have_no_schedule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, books: tuple[str, str, bool] | None, url: str | None, on: str,
    begins: str, ends: str, schedules: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAYBOOK_SCHEDULES", on)
    monkeypatch.setenv("CLEAR_STREET_BASE_URL", url or "")
    if books:
        published(tmp_path / "home", *books[:2], is_loopback=books[2])
    with time_machine.travel("2025-11-28T21:00:00+00:00", tick=False):
        made = defs()
        found = days(made)
    assert (found[0], found[-1]) == (begins, ends)
    sessions = TradingCalendar.load().sessions(date.fromisoformat(begins), date.fromisoformat(ends))
    assert found == [session.date.isoformat() for session in sessions]
    assert {each.default_status.value for each in made.schedules or []} == {schedules}


def test_all_assets_have_the_same_partitions_and_one_writer_at_a_time(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    partitions = {graph.get(key).partitions_def for key in graph.get_all_asset_keys()}
    assert len(partitions) == 1
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.backfill_policy == dg.BackfillPolicy.single_run()
        assert node.pools == {"duckdb_write"}


def test_no_check_can_stop_publication(definitions: dg.Definitions) -> None:
    checks = [spec for asset in definitions.assets or [] if isinstance(asset, dg.AssetsDefinition)
              for spec in asset.check_specs]  # fmt: skip
    assert {check.name for check in checks} == {"complete", "no_gaps", "invariants_hold", "nothing_noticed"}
    assert not any(check.blocking for check in checks)


def test_every_job_runs_in_one_process(definitions: dg.Definitions) -> None:
    for name in ("end_of_day", "rebuild"):
        assert definitions.resolve_job_def(name).executor_def == dg.in_process_executor


def test_the_rebuild_never_asks_the_broker(definitions: dg.Definitions) -> None:
    assert set(definitions.resolve_job_def("rebuild").graph.node_dict) == {"tables_of_books", "published"}


TRADE = {"close_position", "close_positions", "submit_instructions", "cancel_instruction"}
VARIABLES_OF_TRADING = ("DAYBOOK_TRADING_JOBS", "CLEAR_STREET_TRADING_API_KEY", "CLEAR_STREET_BASE_URL")


def jobs_with(monkeypatch: pytest.MonkeyPatch, **environ: str) -> set[str]:
    for name in ("CLEAR_STREET_API_KEY", *VARIABLES_OF_TRADING):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return {job.name for job in defs().jobs or [] if job.name}


@pytest.mark.parametrize("said", [None, "", "off"])
def test_no_job_trades_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, said: str | None) -> None:
    more = {} if said is None else {"DAYBOOK_TRADING_JOBS": said}
    assert jobs_with(monkeypatch, CLEAR_STREET_TRADING_API_KEY="trades", **more) == {"end_of_day", "rebuild"}


def test_asked_for_they_are_there_with_the_key_that_trades_and_not_with_the_one_that_reads(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    on = {"DAYBOOK_TRADING_JOBS": "on"}
    assert jobs_with(monkeypatch, CLEAR_STREET_TRADING_API_KEY="trades", **on) == {"end_of_day", "rebuild"} | TRADE
    assert jobs_with(monkeypatch, CLEAR_STREET_BASE_URL="http://127.0.0.1:1", **on) >= TRADE  # a stand-in needs no key
    with caplog.at_level(logging.ERROR):
        logging.getLogger("dagster").addHandler(caplog.handler)
        try:
            assert jobs_with(monkeypatch, CLEAR_STREET_API_KEY="reads", **on) == {"end_of_day", "rebuild"}
        finally:
            logging.getLogger("dagster").removeHandler(caplog.handler)
    assert "CLEAR_STREET_TRADING_API_KEY is not set" in caplog.text


@pytest.mark.parametrize("said", ["yes", "ON", "1", "true", "on,off"])
def test_in_doubt_they_are_not_there_and_the_evening_is(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    jobs = jobs_with(monkeypatch, CLEAR_STREET_TRADING_API_KEY="trades", DAYBOOK_TRADING_JOBS=said)
    assert jobs == {"end_of_day", "rebuild"}


def test_schedules_and_sensors_are_on_by_default(definitions: dg.Definitions) -> None:
    names = {schedule.name: schedule for schedule in definitions.schedules or []}
    assert set(names) == {"after_close", "final", "late_marks", "recover"}
    sensors = list(definitions.sensors or [])
    assert {sensor.name for sensor in sensors} == {"run_failure", "failed_checks", "missing_day"}
    assert {sensor.default_status for sensor in sensors} == {dg.DefaultSensorStatus.RUNNING}


@pytest.mark.parametrize(
    "module",
    ["pipelines.books.build", "pipelines.books.dictionary", "pipelines.ingest.snapshot", "pipelines.alerts.alert"],
)
def test_moving_and_building_need_no_dagster(module: str) -> None:
    code = f"import sys, {module}; sys.exit('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_build_that_writes_comments_needs_no_dlt() -> None:
    code = "import sys, pipelines.books.dictionary; sys.exit('dlt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_only_public_names_of_dagster_are_used() -> None:
    files = [path for folder in ("assets", "dagster_project", "tests") for path in (ROOT / folder).rglob("*.py")]
    private = re.compile(r"^\s*(?:from|import) dagster\b[\w.]*\._", re.MULTILINE)
    found = {path.name for path in files for _ in private.findall(path.read_text(encoding="utf-8"))}
    # what a webserver is given to serve has no public name, nor has what connects to the log
    assert found == {"server.py", "event_log.py"}
