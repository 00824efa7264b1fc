"""`daybook eod` and Dagster's runs on the morning after an evening that nobody read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_project.definitions import defs
from dagster_project.end_of_day import run_end_of_day
from pipelines.alerts.alert import Alert, send
from pipelines.books.health import read_health
from pipelines.progress import ProgressEvent, ReportWritten
from pipelines.settings import Settings
from pipelines.warehouse.connect import open_published
from tests.support.broker_server import BrokerServer
from tests.support.command_line import daybook
from tests.support.desk import shares

pytestmark = pytest.mark.heavy

WEDNESDAYS_CLOSE, FRIDAYS_MORNING = "2025-10-29T20:30:00+00:00", "2025-10-31T12:30:00+00:00"
FRIDAYS_CLOSE = "2025-10-31T20:30:00+00:00"


def held(price: str, day: str) -> dict[str, list[dict[str, Any]]]:
    return {
        "100": [shares("100", price, cost="4000", day=day)],
        "200": [shares("-5", price, cost="-260", day=day, account=200)],
    }


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[BrokerServer]:
    """A broker on a Wednesday evening, to which the environment points."""
    with BrokerServer(
        accounts=[100, 200], positions=held("50", "2025-10-29"), instructions={}, executions={}, events={}
    ) as server:
        server.now = datetime.fromisoformat(WEDNESDAYS_CLOSE)
        monkeypatch.setenv("CLEAR_STREET_BASE_URL", server.url)
        monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path))
        for name in ("CLEAR_STREET_API_KEY", "DAYBOOK_ACCOUNTS"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))  # so that what eod sets is undone
        yield server


@pytest.fixture
def settings(broker: BrokerServer, tmp_path: Path) -> Settings:
    return Settings(base_url=broker.url, home=tmp_path)


def at(broker: BrokerServer, instant: str, price: str, closed_on: str) -> None:
    broker.now = datetime.fromisoformat(instant)
    broker.positions.update(held(price, closed_on))


def ask(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with open_published(settings.published) as con:
        return con.execute(query).fetchall()


def test_eod_in_the_morning_recovers_the_evening_and_says_so(broker: BrokerServer, settings: Settings) -> None:
    run_end_of_day(settings)
    at(broker, FRIDAYS_MORNING, "52", "2025-10-30")
    told: list[ProgressEvent] = []
    send(settings, Alert("No run has closed the day.", "Run it.", date(2025, 10, 30), kind="MISSING_DAY"))
    closed = run_end_of_day(settings, told.append)
    log = (settings.home / "alerts.log").read_text()
    ended = [line for line in map(json.loads, log.splitlines()) if "resolved" in line]
    assert [(line["resolved"], line["sentence"]) for line in ended] == [
        ("2025-10-30 MISSING_DAY", "the day is COMPLETE, 2 of 2 accounts whole, 2 of them recovered.")
    ]
    assert str(closed) == (
        "2 of 2 accounts were not read after the close of 2025-10-30: RECOVERED from a snapshot of the session after "
        "it, less what was traded since that close. 2025-10-30 is COMPLETE: 2 of 2 accounts whole."
    )
    assert closed.exit_code == 0
    reports = [event.path for event in told if isinstance(event, ReportWritten)]
    assert [path.name for path in reports] == ["report_2025-10-30.html"]
    page = reports[0].read_text()
    assert "RECOVERED: 2 of 2 accounts were not read after the close" in page
    assert ask(settings, "select trading_date, status, grade from quality.day order by all")[1][1:] == (
        "COMPLETE",
        "RECOVERED",
    )
    health = read_health(settings, datetime.fromisoformat(FRIDAYS_MORNING))
    assert health.last_day is not None
    assert (str(health.last_day["trading_date"]), health.last_day["grade"]) == ("2025-10-30", "RECOVERED")
    assert {row["state"] for row in health.accounts} == {"RECOVERED"}
    assert {row["position_count"] for row in health.accounts} == {1}
    again = run_end_of_day(settings)
    assert (str(again), again.exit_code) == (str(closed), 0)
    at(broker, FRIDAYS_CLOSE, "54", "2025-10-31")
    assert str(run_end_of_day(settings)) == "2025-10-31 is COMPLETE: 2 of 2 accounts whole."
    assert ask(settings, "select count(*) from quality.gap") == [(0,)]


def test_eod_says_what_could_not_be_recovered_and_ends_with_3(broker: BrokerServer, settings: Settings) -> None:
    run_end_of_day(settings)
    at(broker, FRIDAYS_MORNING, "52", "2025-10-30")
    broker.forbidden = {("200", "executions")}
    partly = run_end_of_day(settings)
    assert "1 of 2 accounts were not read after the close of 2025-10-30: RECOVERED" in str(partly)
    assert "1 could not be recovered (not_recovered in quality.finding)" in str(partly)
    assert partly.exit_code == 3


def test_eod_in_the_morning_after_a_read_evening_says_what_it_always_said(
    broker: BrokerServer, settings: Settings
) -> None:
    run_end_of_day(settings)
    broker.now = datetime.fromisoformat("2025-10-30T12:30:00+00:00")
    closed = run_end_of_day(settings)
    assert "2025-10-30 has not closed yet" in str(closed)
    assert closed.exit_code == 3


def test_nothing_recovered_is_said_and_ends_with_3(broker: BrokerServer, settings: Settings) -> None:
    run_end_of_day(settings)
    at(broker, FRIDAYS_MORNING, "52", "2025-10-30")
    broker.forbidden = {("100", "executions"), ("200", "executions")}
    closed = run_end_of_day(settings)
    assert str(closed) == (
        "2 of 2 accounts were not read after the close of 2025-10-30, and that day could not be recovered: "
        "quality.finding says why (not_recovered). 2025-10-30 is INCOMPLETE: 0 of 2 accounts whole."
    )
    assert closed.exit_code == 3


def test_the_run_of_the_schedule_checks_and_reports_the_day_that_it_recovers(
    broker: BrokerServer, settings: Settings
) -> None:
    run_end_of_day(settings)
    at(broker, FRIDAYS_MORNING, "52", "2025-10-30")
    with dg.DagsterInstance.ephemeral() as instance:
        job = defs().resolve_job_def("end_of_day")
        done = job.execute_in_process(
            instance=instance, partition_key="2025-10-31", tags={"daybook/trigger": "recover"}
        )
    assert done.success
    checks = {event.check_name: event.passed for event in done.get_asset_check_evaluations()}
    assert checks["complete"]
    assert checks["no_gaps"]
    assert (settings.reports / "report_2025-10-30.html").exists()
    assert ask(settings, 'select "trigger" from raw.extract_run order by run_id') == [("eod",), ("recover",)]


def test_the_command_says_it_in_words_and_as_json(broker: BrokerServer, settings: Settings, tmp_path: Path) -> None:
    url = broker.url
    assert daybook("eod", home=tmp_path, url=url).code == 0
    at(broker, FRIDAYS_MORNING, "52", "2025-10-30")
    said = daybook("eod", "--json", home=tmp_path, url=url)
    assert said.code == 0
    answer = json.loads(said.out)
    assert answer["is_complete"]
    assert "RECOVERED" in answer["summary"]
    assert (answer["last_day"]["trading_date"], answer["last_day"]["grade"]) == ("2025-10-30", "RECOVERED")
    status = daybook("status", home=tmp_path, url=url)
    assert "2025-10-30 is RECOVERED: 2 accounts were not read after its close" in " ".join(status.out.split())
    report = daybook("report", "--format", "csv", home=tmp_path, url=url)
    assert "2 recovered in the morning after it" in " ".join(report.out.split())
    broker.now = datetime.fromisoformat(FRIDAYS_MORNING) + timedelta(minutes=5)
    assert "RECOVERED" in daybook("eod", home=tmp_path, url=url).out
