"""Dagster as the cockpit: what it shows beside an asset, and what its sensors make somebody hear of."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import dagster as dg
import duckdb
import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from assets.catalog import CATALOG
from assets.orchestration.freshness import last_evening
from assets.orchestration.report import _preview
from dagster_project.definitions import defs
from dagster_project.end_of_day import run_end_of_day
from dagster_project.watch import failed_checks, missing_day
from pipelines.calendar import TradingCalendar
from pipelines.report.markdown_chart import SPARK, day_of_pnl, sparkline
from pipelines.report.write import write_report
from pipelines.settings import Settings
from tests.support.broker_server import BrokerServer
from tests.support.dagster_home import new_home
from tests.support.desk import FRIDAY, MONDAY, THURSDAY, desk, shares
from tests.support.report_books import published
from tests.support.web_server import WebServer

pytestmark = pytest.mark.heavy
HELD = {
    100: [shares("100", "150.50", cost="14500.00", day="2025-10-31")],
    200: [shares("-5", "150.50", cost="-700.00", day="2025-10-31", account=200)],
}
FIRST = date(2025, 1, 2)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, web: WebServer) -> Iterator[BrokerServer]:
    """A broker on a Friday evening, to which the environment points, and somewhere that alerts and pings go."""
    new_home(tmp_path)
    with BrokerServer(accounts=[100, 200], positions=HELD, instructions={}) as server:
        server.now = datetime.fromisoformat(FRIDAY)
        for name in ("CLEAR_STREET_API_KEY", "DAYBOOK_ACCOUNTS"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("CLEAR_STREET_BASE_URL", server.url)
        monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path))
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
        monkeypatch.setenv("DAYBOOK_ALERT_WEBHOOK", f"{web.url}/alert")
        monkeypatch.setenv("DAYBOOK_PING_URL", f"{web.url}/ping")
        monkeypatch.setenv("DAYBOOK_DAGSTER_URL", "http://127.0.0.1:3000/")
        yield server


@pytest.fixture
def settings(broker: BrokerServer) -> Settings:
    return Settings.from_env()


def execute(instance: dg.DagsterInstance, job: str = "end_of_day", day: str = "2025-10-31") -> dg.DagsterRun:
    result = defs().resolve_job_def(job).execute_in_process(instance=instance, partition_key=day)
    return result.dagster_run


def texts(web: WebServer) -> list[str]:
    return [json.loads(body)["text"] for _, path, body in web.requests if path == "/alert"]


def pings(web: WebServer) -> int:
    return sum(path == "/ping" for _, path, _ in web.requests)


def make_real(settings: Settings) -> None:
    """Have the published books say that no stand-in filled them."""
    with duckdb.connect(settings.published) as con:
        con.execute("update raw.extract_run set is_loopback = false")


def watch(at: str, cursor: str | None = None) -> tuple[Any, str | None]:
    """One tick of the sensor; what it says, and its cursor."""
    context = dg.build_sensor_context(cursor=cursor)
    with time_machine.travel(datetime.fromisoformat(at), tick=False):
        said = missing_day(context)
    return said, said.cursor if isinstance(said, dg.SensorResult) else None


def test_the_pnl_is_a_picture_beside_its_table(broker: BrokerServer, settings: Settings) -> None:
    for at in (THURSDAY, FRIDAY):
        broker.now = datetime.fromisoformat(at)
        run_end_of_day(settings)
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["pnl", "account_daily"]))
    assert event is not None
    assert event.asset_materialization is not None
    shown = str(event.asset_materialization.metadata["P&L so far"].value)
    assert shown.startswith("![P&L by day, and its sum over 2 sessions](data:image/svg+xml;base64,")
    picture = picture_in(shown)
    assert picture.tag == f"{SVG}svg"
    assert "Oct" in " ".join(text.text or "" for text in picture.iter(f"{SVG}text"))


def test_how_whole_a_day_is_stands_beside_what_was_read_and_beside_the_report(
    broker: BrokerServer, settings: Settings
) -> None:
    run_end_of_day(settings)
    broker.forbidden = {("200", "positions")}
    broker.now = datetime.fromisoformat(MONDAY)
    run_end_of_day(settings)
    with dg.DagsterInstance.get() as instance:
        for day, whole in (("2025-10-31", 2), ("2025-11-03", 1)):
            read = metadata(instance, day, "raw", "positions")
            assert read["accounts"] == f"{whole} of 2 whole"
            told = metadata(instance, day, "report")
            assert (told["accounts complete"], told["accounts expected"]) == (whole, 2)
            assert told["status"].split()[0] == ("COMPLETE" if whole == 2 else "INCOMPLETE")
            assert shown_at_once(told["preview"])
            assert shown_at_once(told["P&L so far"])
            head, _, attention, _, unit, _, columns, _, *rows = str(told["preview"]).splitlines()
            assert f"{whole} of 2 accounts complete" in head
            assert attention.startswith("To look at: ")
            assert unit == "Amounts in a currency that is not known; P&L before fees, returns after fees."
            assert columns == "| account | state | day | MTD | YTD |"
            assert sorted(row.split(" | ")[0] for row in rows) == ["| 100", "| 200", "| all"]


def shown_at_once(markdown: object) -> bool:
    """Dagster puts Markdown of a thousand letters and more behind a click."""
    return len(str(markdown)) < 1_000


def picture_in(markdown: str) -> ElementTree.Element:
    """The drawing inside an image of Markdown."""
    return ElementTree.fromstring(b64decode(markdown.partition("base64,")[2].removesuffix(")")))  # noqa: S314 (ours)


@given(st.lists(st.decimals(-(10**12), 10**12, places=2) | st.none(), min_size=1, max_size=300))
def test_the_last_sessions_are_always_small_enough_to_be_seen_at_once(made: list[Decimal | None]) -> None:
    days = [day_of_pnl(FIRST + timedelta(days=number), pnl, 0) for number, pnl in enumerate(made)]
    drawn = sparkline(days)
    assert shown_at_once(drawn)
    line, *bars = [path.attrib["d"] for path in picture_in(drawn).iter(f"{SVG}path")]
    assert line.count("L") == len(days[-SPARK:]) - 1
    assert sum(path.count("M") for path in bars) == sum(bool(pnl) for pnl in made[-SPARK:])


def test_of_many_accounts_as_many_are_previewed_as_are_seen_at_once(tmp_path: Path) -> None:
    ids = list(range(100, 160))
    held = {account: [shares("100", "150.50", cost="14500.00", day="2025-10-31", account=account)] for account in ids}
    with desk(tmp_path, accounts=ids, positions=held, instructions={}) as d:
        d.evening(FRIDAY)
        published(d)
        written = write_report(d.settings, CATALOG, formats=[])
        preview = _preview(written)
    assert shown_at_once(preview)
    *_, total, _, more = preview.splitlines()
    assert total.startswith("| all | ")
    rows = [line for line in preview.splitlines() if re.match(r"\| 1\d\d \|", line)]
    assert len(rows) >= 5
    assert more == f"and {60 - len(rows)} more accounts in the report"


def metadata(instance: dg.DagsterInstance, day: str, *path: str) -> dict[str, Any]:
    """What stands beside an asset of a day."""
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(dg.AssetKey(path), asset_partitions=[day]), limit=1
    ).records
    materialization = found[0].asset_materialization
    assert materialization is not None
    return {name: value.value for name, value in materialization.metadata.items()}


def test_a_complete_evening_is_heard_of_outside_and_no_other_run_is(
    broker: BrokerServer, settings: Settings, web: WebServer
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        execute(instance)
        assert pings(web) == 1
        execute(instance, "rebuild")
        assert pings(web) == 1
        broker.forbidden = {("200", "positions")}
        broker.now = datetime.fromisoformat(MONDAY)
        execute(instance, day="2025-11-03")
    assert pings(web) == 1


def test_a_check_that_failed_in_a_run_that_went_through_is_alerted_once(
    broker: BrokerServer, settings: Settings, web: WebServer
) -> None:
    broker.forbidden = {("200", "positions")}
    with dg.DagsterInstance.ephemeral() as instance:
        run = execute(instance)
        assert len(texts(web)) == 1  # the run has spoken of it itself
        (event,) = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_SUCCESS).records
        context = dg.build_run_status_sensor_context(
            sensor_name="failed_checks",
            dagster_event=event.event_log_entry.get_dagster_event(),
            dagster_instance=instance,
            dagster_run=run,
        )
        failed_checks(context)
        assert len(texts(web)) == 1
        (settings.home / "incidents.json").unlink()  # as if the run had not been able to speak
        failed_checks(context)
    told = texts(web)[1]
    assert "The check complete did not pass: 2025-10-31 is INCOMPLETE, 1 of 2 accounts whole." in told
    assert told.endswith(f"<http://127.0.0.1:3000/runs/{run.run_id}|The run>")
    assert len(texts(web)) == 2  # no_gaps says the same of the day


def test_an_evening_that_nobody_closed_is_alerted_and_recorded_as_a_check_of_its_day(
    settings: Settings, web: WebServer
) -> None:
    run_end_of_day(settings)
    make_real(settings)
    said, cursor = watch("2025-10-31T22:00:00-04:00")
    (check,) = said.asset_events
    assert (check.asset_key.path, check.check_name, check.passed) == (["published"], "fresh", True)
    assert texts(web) == []
    said, cursor = watch("2025-11-03T20:00:00-05:00", cursor)  # Monday's evening is not over
    assert isinstance(said, dg.SkipReason)
    said, cursor = watch("2025-11-03T21:00:00-05:00", "2025-10-31 COMPLETE")
    (check,) = said.asset_events
    assert not check.passed
    assert check.metadata["partition"].value == "2025-11-03"
    assert check.description == "2025-11-03 is MISSING"
    assert [text.splitlines()[0] for text in texts(web)] == ["*daybook* 2025-11-03: No run has closed the day."]
    said, _ = watch("2025-11-03T21:10:00-05:00", cursor)
    assert said == dg.SkipReason("2025-11-03 is MISSING, as before.")


def test_a_day_that_is_not_whole_when_its_evening_has_passed_is_alerted(
    broker: BrokerServer, settings: Settings, web: WebServer
) -> None:
    broker.forbidden = {("200", "positions")}
    run_end_of_day(settings)
    make_real(settings)
    (settings.home / "incidents.json").unlink()
    said, _ = watch("2025-11-01T12:00:00-04:00")  # Saturday: Friday is the last evening
    assert not said.asset_events[0].passed
    assert "2025-10-31: The day is INCOMPLETE and its evening has passed." in texts(web)[-1]


def test_nobody_is_woken_for_books_that_are_not_there_or_not_real(settings: Settings, web: WebServer) -> None:
    said, _ = watch("2025-11-03T21:00:00-05:00")
    assert "Nothing has been published" in said.skip_message
    run_end_of_day(settings)
    said, _ = watch("2025-11-03T21:00:00-05:00")
    assert said.skip_message == "No end of day is due for 2025-11-03 in these books."
    make_real(settings)
    said, _ = watch("2025-10-30T21:00:00-04:00")  # before the first of them
    assert said.skip_message == "No end of day is due for 2025-10-30 in these books."
    assert texts(web) == []


def test_the_check_of_the_last_evening_can_be_asked_for(settings: Settings) -> None:
    run_end_of_day(settings)
    selection = dg.AssetSelection.checks_for_assets(dg.AssetKey("published"))
    job = dg.define_asset_job("ask", selection=selection, executor_def=dg.in_process_executor)
    asked = dg.Definitions.merge(defs(), dg.Definitions(jobs=[job])).resolve_job_def("ask")
    for at, passes in (("2025-11-01T12:00:00-04:00", True), ("2025-11-03T22:00:00-05:00", False)):
        with (
            time_machine.travel(datetime.fromisoformat(at), tick=False),
            dg.DagsterInstance.ephemeral() as instance,
        ):
            (check,) = asked.execute_in_process(instance=instance).get_asset_check_evaluations()
        assert (check.check_name, check.passed) == ("fresh", passes)


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2025-11-26T21:00:00-05:00", date(2025, 11, 26)),
        ("2025-11-26T20:59:00-05:00", date(2025, 11, 25)),
        ("2025-11-27T22:00:00-05:00", date(2025, 11, 26)),  # Thanksgiving
        ("2025-11-30T12:00:00-05:00", date(2025, 11, 28)),  # Sunday after the half day
        ("2025-11-04T01:59:00+00:00", date(2025, 10, 31)),  # 20:59 in New York, the Monday after the clocks changed
        ("2025-11-04T02:00:00+00:00", date(2025, 11, 3)),
    ],
)
def test_the_last_evening_is_that_of_a_session(at: str, day: date) -> None:
    assert last_evening(TradingCalendar.load(), datetime.fromisoformat(at)) == day
