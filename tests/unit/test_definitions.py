"""What Dagster is told of daybook: every table, what it is made from, what its columns mean."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from assets.catalog import TABLES
from assets.dictionary import entries
from assets.lineage import sources
from assets.partitions import trading_days
from dagster_project.definitions import defs
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
    assert set(specs) == set(entries()) | {"published", "report"}
    assert {table.name for table in TABLES if table.lasts} <= set(specs)


def test_every_asset_says_what_it_and_each_of_its_columns_is(specs: dict[str, dg.AssetSpec]) -> None:
    for name, entry in entries().items():
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
            assert made_from(table.versions) == sources(table)
        elif table.lasts:
            assert made_from(table.name) == sources(table)
    assert {"raw.positions", "core.account_eod"} <= made_from("core.position_eod")
    # through the working table position_change, which is gone when the build is done
    assert {"core.position_eod", "core.trade_flow", "raw.corporate_events"} <= made_from("pnl.position_daily_version")
    assert made_from("pnl.position_daily_version") <= set(specs)
    assert made_from("core.calendar") == {"raw.market_hours"}


def test_the_published_copy_comes_after_every_table(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    before = dg.AssetSelection.assets("published").upstream().resolve(graph)
    assert {".".join(key.path) for key in before} == set(entries()) | {"published"}


def test_the_partitions_are_the_trading_days_up_to_today() -> None:
    keys = trading_days.get_partition_keys()
    calendar = TradingCalendar.load()
    last = date.fromisoformat(keys[-1])
    assert keys == [session.date.isoformat() for session in calendar.sessions(date(2000, 1, 3), last)]
    assert trading_days.has_partition_key("2005-02-28")
    assert not trading_days.has_partition_key("2005-02-27")  # Sunday
    assert not trading_days.has_partition_key("2005-02-21")  # Washington's Birthday
    assert not trading_days.has_partition_key("2001-09-12")


def test_all_assets_have_the_same_partitions_and_one_writer_at_a_time(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.partitions_def == trading_days
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
    assert set(definitions.resolve_job_def("rebuild").graph.node_dict) == {"books", "published"}


def test_schedules_and_sensors_are_on_by_default(definitions: dg.Definitions) -> None:
    names = {schedule.name: schedule for schedule in definitions.schedules or []}
    assert set(names) == {"after_close", "final", "late_marks"}
    sensors = [each for each in definitions.sensors or [] if isinstance(each, dg.SensorDefinition)]
    assert {sensor.name for sensor in sensors} == {"run_failure", "failed_checks", "missing_day"}
    assert {sensor.default_status for sensor in sensors} == {dg.DefaultSensorStatus.RUNNING}


@pytest.mark.parametrize("module", ["assets.build", "assets.dictionary", "pipelines.snapshot", "pipelines.alerts"])
def test_moving_and_building_need_no_dagster(module: str) -> None:
    code = f"import sys, {module}; sys.exit('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_build_that_writes_comments_needs_no_dlt() -> None:
    code = "import sys, assets.dictionary; sys.exit('dlt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_only_public_names_of_dagster_are_used() -> None:
    files = [path for folder in ("assets", "dagster_project", "tests") for path in (ROOT / folder).rglob("*.py")]
    private = re.compile(r"^\s*(?:from|import) dagster\b[\w.]*\._", re.MULTILINE)
    assert [path for path in files if private.search(path.read_text(encoding="utf-8"))] == []
