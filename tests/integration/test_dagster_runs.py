"""Runs of the end_of_day job in this process: what they leave behind, what they refuse, what they let go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from assets.catalog import CATALOG
from assets.orchestration.open_books import OpenBooks
from dagster_project.definitions import defs
from dagster_project.end_of_day import run_end_of_day
from pipelines.books.dictionary import entries
from pipelines.errors import BuildFailed, ConfigurationError, DaybookError, LockedOut, Unauthorized, with_full_stop
from pipelines.progress import ProgressEvent
from pipelines.settings import Settings
from pipelines.warehouse.connect import open_published
from pipelines.warehouse.lock import run_lock
from pipelines.warehouse.session import warehouse_session
from tests.support.broker_server import BrokerServer
from tests.support.dagster_home import new_home
from tests.support.desk import FRIDAY, MONDAY, THURSDAY, shares

pytestmark = pytest.mark.heavy
MID_SESSION = "2025-10-31T15:00:00+00:00"
HELD = {
    100: [shares("100", "150.50", cost="14500.00", day="2025-10-31")],
    200: [shares("-5", "150.50", cost="-700.00", day="2025-10-31", account=200)],
}


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[BrokerServer]:
    """A broker on a Friday evening, to which the environment points."""
    new_home(tmp_path)
    with BrokerServer(accounts=[100, 200], positions=HELD, instructions={}) as server:
        server.now = datetime.fromisoformat(FRIDAY)
        monkeypatch.setenv("CLEAR_STREET_BASE_URL", server.url)
        monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path))
        for name in ("DAGSTER_HOME", "CLEAR_STREET_API_KEY", "DAYBOOK_ACCOUNTS"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))  # so that what eod sets is undone
        yield server


@pytest.fixture
def settings(broker: BrokerServer, tmp_path: Path) -> Settings:
    return Settings(base_url=broker.url, home=tmp_path)


def ask(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with open_published(settings.published) as con:
        return con.execute(query).fetchall()


def alerts(settings: Settings) -> list[dict[str, Any]]:
    log = settings.home / "alerts.log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def execute(job: str, **arguments: Any) -> dg.ExecuteInProcessResult:
    """A run with the real resource, as a schedule's would be."""
    with dg.DagsterInstance.ephemeral() as instance:
        return defs().resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False, **arguments)


def why(result: dg.ExecuteInProcessResult) -> str:
    """The sentence that the first failed step shows."""
    event = next(event for event in result.all_events if event.is_step_failure)
    error = event.step_failure_data.error
    assert error is not None
    return error.message


def is_free(settings: Settings) -> bool:
    with run_lock(settings.run_lock, wait=0):
        return True


def test_an_evening_is_read_built_checked_and_published(settings: Settings) -> None:
    closed = run_end_of_day(settings)
    assert closed.exit_code == 0
    assert str(closed) == "2025-10-31 is COMPLETE: 2 of 2 accounts whole."
    assert ask(settings, "select account_id, quantity from pnl.position_daily order by all") == [
        ("100", 100),
        ("200", -5),
    ]
    assert ask(settings, 'select "trigger" from raw.extract_run') == [("eod",)]
    assert alerts(settings) == []
    assert is_free(settings)


def test_the_dictionary_knows_every_column_of_a_real_warehouse_and_its_type(settings: Settings) -> None:
    run_end_of_day(settings)
    real = {
        (f"{schema}.{table}", column, sql_type)
        for schema, table, column, sql_type in ask(
            settings, "select schema_name, table_name, column_name, data_type from duckdb_columns() where not internal"
        )
        if not table.startswith("_dlt")
    }
    types = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
    assert real == {
        (name, c.name, types.get(c.type, c.type)) for name in entries(CATALOG) for c in entries(CATALOG)[name].columns
    }


def test_the_same_evening_twice_changes_nothing(settings: Settings) -> None:
    run_end_of_day(settings)
    query = "select * exclude (run_id) from pnl.position_daily_version order by all"
    before = ask(settings, query)
    told: list[ProgressEvent] = []
    assert run_end_of_day(settings, told.append).exit_code == 0
    assert ask(settings, query) == before
    assert "built; nothing changed" in map(str, told)


def test_a_run_is_remembered_with_row_counts_a_preview_and_its_checks(settings: Settings) -> None:
    run_end_of_day(settings)
    with dg.DagsterInstance.get() as instance:
        (run,) = instance.get_runs()
        assert (run.job_name, run.status, run.tags["daybook/trigger"]) == (
            "end_of_day",
            dg.DagsterRunStatus.SUCCESS,
            "eod",
        )
        assert run.tags["dagster/partition"] == "2025-10-31"
        assert run.tags[".dagster/repository"] == "__repository__@daybook"  # by which the UI lists it under its job

        def metadata(*path: str) -> dict[str, Any]:
            event = instance.get_latest_materialization_event(dg.AssetKey(path))
            assert event is not None
            assert event.asset_materialization is not None
            assert event.asset_materialization.partition == "2025-10-31"
            return {name: value.value for name, value in event.asset_materialization.metadata.items()}

        assert metadata("raw", "positions")["dagster/partition_row_count"] == 2
        assert metadata("raw", "quarantine")["dagster/partition_row_count"] == 0
        assert metadata("pnl", "position_daily")["dagster/partition_row_count"] == 2
        assert metadata("quality", "reconciliation")["dagster/partition_row_count"] > 0
        assert metadata("core", "calendar")["dagster/row_count"] > 5000
        # to count it would be to compute it, of every account for all of its days
        assert metadata("pnl", "performance") == metadata("pnl", "period") == {}
        assert "| 200 |  |  |  |  |  | UNKNOWN |" in metadata("pnl", "account_daily")["P&L of the day"]
        assert metadata("published")["bytes"] == settings.published.stat().st_size


def test_a_day_with_a_missing_account_is_published_marked_and_alerted(broker: BrokerServer, settings: Settings) -> None:
    broker.forbidden = {("200", "positions")}
    closed = run_end_of_day(settings)
    assert closed.exit_code == 3
    assert str(closed) == "2025-10-31 is INCOMPLETE: 1 of 2 accounts whole."
    assert ask(settings, "select status, accounts_complete from quality.day") == [("INCOMPLETE", 1)]
    (alert,) = alerts(settings)
    assert alert["sentence"].startswith("1 of 2 accounts are whole: ")
    assert alert["trading_date"] == "2025-10-31"
    assert "daybook eod" in alert["todo"]


def test_failed_checks_are_seen_and_stop_nothing(broker: BrokerServer, settings: Settings) -> None:
    broker.forbidden = {("200", "positions")}
    result = execute("end_of_day", partition_key="2025-10-31")
    assert result.success
    found = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert not found["complete"].passed
    assert found["complete"].description == "2025-10-31 is INCOMPLETE, 1 of 2 accounts whole"
    assert found["complete"].severity == dg.AssetCheckSeverity.ERROR
    assert not found["no_gaps"].passed
    assert "200 FETCH_FAILED" in str(found["no_gaps"].description)
    assert found["invariants_hold"].passed
    assert settings.published.exists()


def test_findings_are_a_warning(broker: BrokerServer, settings: Settings) -> None:
    broker.positions["100"][0] = shares("100", "150.50", cost="14500.00", day="2025-10-30")
    result = execute("end_of_day", partition_key="2025-10-31")
    found = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert not found["nothing_noticed"].passed
    assert found["nothing_noticed"].severity == dg.AssetCheckSeverity.WARN
    assert "stale_price, 1 row" in str(found["nothing_noticed"].description)
    assert found["complete"].passed


def test_a_run_in_mid_session_keeps_what_it_read_and_closes_no_day(broker: BrokerServer, settings: Settings) -> None:
    broker.now = datetime.fromisoformat(MID_SESSION)
    closed = run_end_of_day(settings)
    assert closed.exit_code == 3
    assert "2025-10-31 has not closed yet" in str(closed)
    assert ask(settings, "select grade from raw.extract_run") == [("INTRADAY",)]
    assert alerts(settings) == []


@pytest.mark.parametrize("partition", ["2025-10-30", "2025-11-03"])
def test_a_day_that_is_not_the_broker_clocks_is_refused_with_the_reason(
    broker: BrokerServer, settings: Settings, partition: str
) -> None:
    result = execute("end_of_day", partition_key=partition)
    assert not result.success
    assert f"The broker's clock is in the trading day 2025-10-31, so {partition} can't be read" in why(result)
    assert broker.asked("/positions") == []
    assert not settings.published.exists()
    assert is_free(settings)


def test_the_night_after_is_still_the_day_before(broker: BrokerServer, settings: Settings) -> None:
    broker.now = datetime.fromisoformat("2025-11-01T07:30:00+00:00")  # 03:30 in New York
    assert execute("end_of_day", partition_key="2025-10-31").success
    assert ask(settings, "select trading_date, grade from raw.extract_run") == [(date(2025, 10, 31), "LATE")]


def test_several_days_can_not_be_read_at_once(broker: BrokerServer, settings: Settings) -> None:
    days = {"dagster/asset_partition_range_start": "2025-10-30", "dagster/asset_partition_range_end": "2025-10-31"}
    result = execute("end_of_day", tags=days)
    assert not result.success
    assert "2025-10-30 to 2025-10-31 can't be read from the broker: positions have no as-of" in why(result)
    assert broker.requests == []


def test_a_run_that_names_no_day_says_how_to_name_one(broker: BrokerServer, settings: Settings) -> None:
    result = execute("end_of_day")
    assert not result.success
    assert "This run names no trading day" in why(result)
    assert broker.requests == []


def test_a_day_that_the_brokers_own_calendar_closes_is_refused_and_what_was_read_kept(
    broker: BrokerServer, settings: Settings
) -> None:
    broker.hours = [{"date": "2025-10-31", "market": "us_equities", "status": {"day_type": "HOLIDAY"}}]
    result = execute("end_of_day", partition_key="2025-10-31")
    assert not result.success
    assert "no session on 2025-10-31: what was read belongs to 2025-10-30" in why(result)
    with warehouse_session(settings) as con:
        assert con.execute("select trading_date, grade from raw.extract_run").fetchall() == [
            (date(2025, 10, 30), "LATE")
        ]


def test_a_backfill_of_several_days_is_one_build(broker: BrokerServer, settings: Settings) -> None:
    for at, day in ((THURSDAY, "2025-10-30"), (FRIDAY, "2025-10-31"), (MONDAY, "2025-11-03")):
        broker.now = datetime.fromisoformat(at)
        assert execute("end_of_day", partition_key=day).success
    asked_before = len(broker.requests)
    query = "select * from pnl.position_daily_version order by all"
    before = ask(settings, query)
    days = {"dagster/asset_partition_range_start": "2025-10-30", "dagster/asset_partition_range_end": "2025-11-03"}
    result = execute("rebuild", tags=days)
    assert result.success
    assert len(broker.requests) == asked_before
    assert len([event for event in result.all_events if event.is_step_success]) == 2  # books, published
    assert ask(settings, query) == before
    partitions = {
        event.materialization.partition for event in result.all_events if event.is_step_materialization
    }  # fmt: skip
    assert partitions == {"2025-10-30", "2025-10-31", "2025-11-03"}


def test_a_refused_key_ends_in_one_sentence_an_alert_and_a_free_lock(broker: BrokerServer, settings: Settings) -> None:
    broker.key = "another"
    settings = settings.model_copy(update={"api_key": SecretStr("revoked")})
    with pytest.raises(Unauthorized, match="the API key is wrong, expired or revoked") as caught:
        run_end_of_day(settings)
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
    (alert,) = alerts(settings)
    assert alert["sentence"] == with_full_stop(f"daybook eod failed: {caught.value}")
    assert alert["todo"].startswith("Set CLEAR_STREET_API_KEY to a key that the broker accepts")
    assert not settings.published.exists()
    assert is_free(settings)


def test_a_run_that_fails_half_way_is_alerted_with_its_own_sentence(broker: BrokerServer, settings: Settings) -> None:
    (settings.home / "adjustments.csv").write_text("trading_date,account_id\nnonsense,100\n")
    with pytest.raises(ConfigurationError, match=r"adjustments\.csv") as caught:
        run_end_of_day(settings)
    assert caught.value.exit_code == 2
    (alert,) = alerts(settings)
    assert alert["sentence"] == with_full_stop(f"daybook eod failed: {caught.value}")
    assert alert["trading_date"] == "2025-10-31"
    assert not settings.published.exists()
    (settings.home / "adjustments.csv").unlink()
    assert run_end_of_day(settings).exit_code == 0  # what was landed is not lost, and the lock is free


def test_a_publication_that_fails_leaves_the_former_copy(settings: Settings) -> None:
    assert run_end_of_day(settings).exit_code == 0
    before = settings.published.read_bytes()
    draft = settings.home / f"{settings.published.name}.keep"
    settings.published.rename(draft)
    settings.published.mkdir()  # nothing can be put in the place of a folder
    with pytest.raises(BuildFailed, match="was not published"):
        run_end_of_day(settings)
    settings.published.rmdir()
    draft.rename(settings.published)
    assert settings.published.read_bytes() == before


def test_books_in_use_are_waited_for_and_then_refused_naming_the_holder(settings: Settings) -> None:
    settings.prepare_home()
    with run_lock(settings.run_lock, command="daybook build"), pytest.raises(LockedOut, match="daybook build"):
        run_end_of_day(settings, wait=0.3)


def test_a_scheduled_run_holds_the_books_from_its_first_step_to_its_end(
    broker: BrokerServer, settings: Settings
) -> None:
    held: list[bool] = []

    def now() -> datetime:
        try:
            with run_lock(settings.run_lock, wait=0):
                held.append(False)
        except LockedOut:
            held.append(True)
        return datetime.fromisoformat(FRIDAY)

    broker.now = now
    result = execute("end_of_day", partition_key="2025-10-31")
    assert result.success
    assert held
    assert all(held)
    assert is_free(settings)


def test_a_scheduled_run_reads_the_environment_when_it_starts(
    broker: BrokerServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    definitions = defs()  # loaded while the environment says something that can't be used
    monkeypatch.setenv("CLEAR_STREET_BASE_URL", "http://broker.example")
    job = definitions.resolve_job_def("end_of_day")
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(Exception, match="Error executing resource_fn") as caught:
            job.execute_in_process(instance=instance, partition_key="2025-10-31")
        assert isinstance(caught.value.__cause__, ConfigurationError)
        monkeypatch.setenv("CLEAR_STREET_BASE_URL", broker.url)
        assert job.execute_in_process(instance=instance, partition_key="2025-10-31").success


def test_two_runs_of_one_warehouse_wait_for_each_other_in_the_resource(settings: Settings) -> None:
    settings.prepare_home()
    impatient = {"resources": {"books": {"config": {"wait_seconds": 0.2}}}}
    with run_lock(settings.run_lock, command="daybook build"):
        result = execute("end_of_day", partition_key="2025-10-31", run_config=impatient)
    assert not result.success
    assert "These books are in use by process" in why(result)


def test_open_books_are_taken_when_they_are_first_asked_for(settings: Settings) -> None:
    taken: list[str] = []

    def take() -> Any:
        taken.append("taken")
        raise DaybookError("not today")

    books = OpenBooks(settings, take, print, lambda _: None)
    assert taken == []
    with pytest.raises(DaybookError, match="not today"):
        _ = books.con
