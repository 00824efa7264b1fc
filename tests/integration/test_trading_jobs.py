"""The four jobs that trade: launched by hand, confirmed in their config, and never run twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from dagster_project.definitions import defs
from dagster_project.trading_jobs import ONCE, close_positions_job, trading_jobs
from pipelines.broker.client import BrokerClient
from pipelines.sandbox.instruments import stock
from pipelines.sandbox.server import Sandbox
from pipelines.settings import Settings
from pipelines.trading.held import read_positions
from tests.support.command_line import KEY
from tests.support.trading_server import Recorder

EQUITIES, OPTIONS = "20517", "20518"
pytestmark = pytest.mark.heavy
NAMES = ["close_position", "close_positions", "submit_instructions", "cancel_instruction"]


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    with Sandbox(seed=1, short_sales=False) as sandbox, Recorder(sandbox.url) as recorder:
        sandbox.clock.set(datetime(2005, 2, 3, 18, tzinfo=UTC))
        monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("CLEAR_STREET_BASE_URL", recorder.url)
        monkeypatch.setenv("CLEAR_STREET_API_KEY", KEY)
        monkeypatch.setenv("DAYBOOK_TRADING_JOBS", "on")
        yield recorder


def run(name: str, config: dict[str, Any], **arguments: Any) -> dg.ExecuteInProcessResult:
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    job = next(job for job in trading_jobs if job.name == name)
    run_config = {"ops": {f"{name}_op": {"config": config}}, **quiet}
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(run_config=run_config, instance=instance, **arguments)


def held(account: str) -> dict[str, str]:
    """What an account holds, as the config states it."""
    settings = Settings.from_env()
    with BrokerClient(settings.base_url, settings.reading_key()) as client:
        return {row["instrument_id"]: row["quantity"] for row in read_positions(client, account)}


def wires(recorder: Recorder) -> list[tuple[str, str, Any]]:
    return [each.wire for each in recorder.writes]


def test_no_schedule_and_no_sensor_launches_them_and_no_crash_starts_them_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DAYBOOK_TRADING_JOBS", "on")
    monkeypatch.setenv("CLEAR_STREET_TRADING_API_KEY", KEY)
    everything = defs()
    automatic = [*(everything.schedules or []), *(everything.sensors or [])]
    launched = {str(target.job_name) for each in automatic for target in _targets(each)}
    assert "end_of_day" in launched
    assert not launched & set(NAMES)
    jobs = [everything.resolve_job_def(name) for name in NAMES]
    assert all(job.tags.items() >= ONCE.items() for job in jobs)
    assert ONCE == {"dagster/max_retries": "0"}


def _targets(each: Any) -> list[Any]:
    """What a schedule or a sensor may launch."""
    return [each.target] if isinstance(each, dg.ScheduleDefinition) else list(each.targets)


def test_all_four_do_what_the_command_line_does(recorder: Recorder, tmp_path: Path) -> None:
    contract = {"instruction_type": "EXERCISE", "instrument_id": "GOOG  050319C00200000", "quantity": "1"}
    submitted = run("submit_instructions", {"account": OPTIONS, "confirm": OPTIONS, "instructions": [contract]})
    assert submitted.success
    with duckdb.connect(tmp_path / "home" / "warehouse.duckdb") as con:
        ((name, key),) = con.execute("select id, client_instruction_id from raw.position_instructions").fetchall()
    run("cancel_instruction", {"account": OPTIONS, "confirm": OPTIONS, "instruction_id": name})
    ibm, equities = stock("IBM").id, {"account": EQUITIES, "confirm": EQUITIES}
    stated = {"instrument": "IBM", "quantity": held(EQUITIES)[ibm], "cancel_orders": True}
    run("close_position", equities | stated)
    run("close_positions", equities | {"positions": held(EQUITIES)})
    of = "/v1/accounts/{}/positions"
    sent = wires(recorder)
    assert [each[:2] for each in sent] == [
        ("POST", f"{of.format(OPTIONS)}/instructions"),
        ("DELETE", f"{of.format(OPTIONS)}/instructions/{name}"),
        ("DELETE", f"{of.format(EQUITIES)}/{ibm}"),
        ("DELETE", of.format(EQUITIES)),
    ]
    assert sent[0][2][0]["client_instruction_id"] == key
    assert [each[2] for each in sent[1:]] == [None, {"cancel_orders": True}, {}]


@pytest.mark.parametrize(
    "config",
    [
        {"account": EQUITIES},
        {"account": EQUITIES, "confirm": "", "positions": {}},
        {"account": EQUITIES, "confirm": "yes", "positions": {}},
        {"account": "all", "confirm": "all", "positions": {}},
        {"account": EQUITIES, "confirm": EQUITIES},
        {"account": EQUITIES, "confirm": EQUITIES, "positions": {"IBM": 100}},
        {"account": EQUITIES, "confirm": EQUITIES, "positions": {}, "cancel_orders": "perhaps"},
        {"account": EQUITIES, "confirm": EQUITIES, "positions": {}, "instrument": "IBM"},
    ],
)
def test_a_config_that_does_not_confirm_or_cannot_be_meant_sends_nothing(
    recorder: Recorder, config: dict[str, Any]
) -> None:
    with pytest.raises(Exception, match=r"(?i)confirm|account|cancel_orders|instrument|positions"):
        run("close_positions", config)
    assert recorder.requests == []


STATED = {
    "more": {"IBM": "1"},
    "a side": {"IBM": "-"},
    "no number": {"IBM": "all"},
    "nothing": {},
    "another": {"IBM": "", "NOBODY": "5"},
    "twice": {"IBM": "", "ibm": ""},
}


@pytest.mark.parametrize("stated", STATED)
def test_a_job_sends_nothing_where_something_else_is_held_than_its_config_states(
    recorder: Recorder, stated: str
) -> None:
    now = held(EQUITIES)
    of_ibm, others = now[stock("IBM").id], {each: now[each] for each in now if each != stock("IBM").id}
    signed = {"": of_ibm, "-": f"-{of_ibm}"}
    equities = {"account": EQUITIES, "confirm": EQUITIES}
    positions = {name: signed.get(quantity, quantity) for name, quantity in STATED[stated].items()}
    with pytest.raises(dg.Failure) as caught:
        run("close_positions", equities | {"positions": positions | others})
    assert caught.value.allow_retries is False
    if len(positions) == 1:
        ((name, quantity),) = positions.items()
        with pytest.raises(dg.Failure, match="Nothing was sent"):
            run("close_position", equities | {"instrument": name, "quantity": quantity})
    assert recorder.writes == []


def test_a_process_that_has_not_been_told_to_trade_sends_nothing(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAYBOOK_TRADING_JOBS", "off")
    with pytest.raises(dg.Failure) as caught:
        run("close_positions", {"account": EQUITIES, "confirm": EQUITIES, "positions": {"IBM": "1"}})
    assert "DAYBOOK_TRADING_JOBS is not on" in str(caught.value.description)
    assert recorder.requests == []


def test_a_run_that_repeats_another_is_refused(recorder: Recorder) -> None:
    with dg.DagsterInstance.local_temp() as instance:
        recorder.then = "drop"
        stated = {"account": EQUITIES, "confirm": EQUITIES, "positions": held(EQUITIES)}
        config = {"ops": {"close_positions_op": {"config": stated}}}
        first = close_positions_job.execute_in_process(run_config=config, instance=instance, raise_on_error=False)
        assert not first.success
        assert len(recorder.writes) == 1
        again = dg.ReexecutionOptions(parent_run_id=first.run_id)
        with dg.execute_job(
            dg.reconstructable(close_positions_job), instance=instance, run_config=config, reexecution_options=again
        ) as second:
            assert not second.success
            said = [str(event.step_failure_data.error) for event in second.filter_events(lambda e: e.is_step_failure)]
            assert "repeats one that may have traded" in said[0]
    assert len(recorder.writes) == 1


@pytest.mark.parametrize(
    ("then", "canned", "words"),
    [
        ("drop", None, "To find out: daybook positions list"),
        ("answer", (403, {"error": {"code": 403, "message": "no"}}), "this key may only read"),
    ],
)
def test_anything_but_done_fails_the_run_with_a_sentence(
    recorder: Recorder, then: Any, canned: Any, words: str
) -> None:
    recorder.then, recorder.canned = then, canned
    with pytest.raises(dg.Failure) as caught:
        run("close_positions", {"account": EQUITIES, "confirm": EQUITIES, "positions": held(EQUITIES)})
    assert words in str(caught.value.description)
    assert caught.value.allow_retries is False
    assert len(recorder.writes) == 1
