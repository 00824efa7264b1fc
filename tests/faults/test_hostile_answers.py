"""One answer never ends the evening: whatever is sent for one account, or one evidence endpoint, is its own failed
read. Every account of these evenings is answered in another hostile way; the honest ones among them are whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.archive.read import archived_runs
from pipelines.ingest.replay import replay
from tests.support.answers import KEPT, UNBELIEVABLE, Spoil, field, of
from tests.support.broker_server import Fault, position
from tests.support.desk import FRIDAY, Desk, desk, fill

Row = dict[str, Any]
HONEST = 900001
#: What fits positions alone. The first are failed reads, the others are kept.
UNBELIEVABLE_POSITIONS = UNBELIEVABLE | {
    "a quantity twice": lambda body: body.replace(b'"quantity":"100"', b'"quantity":"100","quantity":"7"', 1),
    "a quantity under both its names": of(b"quantity", b'"1","quantity":"1"'),
    "a total twice": lambda body: body.replace(b'"total_items":', b'"total_items":2,"total_items":', 1),
    "a flag for a symbol": of(b"symbol", b"true"),
    "a list for a quantity": of(b"quantity", b'["100"]'),
}
KEPT_POSITIONS = KEPT | {
    "a symbol of half a letter": of(b"symbol", b'"\\ud800"'),
    "an instrument of half a letter": of(b"instrument_id", b'"\\udfff"'),
    "a symbol that is no UTF-8": of(b"symbol", b'"\xff"'),
    "a symbol with a nought": of(b"symbol", b'"a\\u0000b"'),
    "an instrument of 100,000 letters": of(b"instrument_id", b'"' + b"i" * 100_000 + b'"'),
    "an option of 100,000 letters": lambda body: of(b"instrument_id", b'"' + b"o" * 100_000 + b'"')(
        body.replace(b"COMMON_STOCK", b"OPTION", 1)
    ),
    "an option with commas": lambda body: of(b"instrument_id", b'"a,b"')(body.replace(b"COMMON_STOCK", b"OPTION", 1)),
}


def numbered(answers: Mapping[str, Spoil], first: int) -> dict[int, Spoil]:
    """An account for each answer."""
    return dict(enumerate(answers.values(), first))


def books(accounts: list[int]) -> dict[str, Any]:
    return {
        "accounts": accounts,
        "positions": {each: [position(each, n) for n in range(2)] for each in accounts},
        "instructions": {},
        "executions": {
            each: [fill(each, "BUY", "1", "1.00", "2025-10-31T15:00:00Z", account=each)] for each in accounts
        },
        "orders": {},
        "balances": {each: {"account_id": each, "currency": "USD", "equity": "1"} for each in accounts},
        "history": {each: [{"account_id": each, "date": "2025-10-30", "net_pnl": "1.00"}] for each in accounts},
        "contracts": [],
        "events": {"instruments": {"event_dates": []}},
        "hours": [],
    }


def spoilt(endpoint: str, spoil: Spoil, account: int | None = None) -> Fault:
    """The endpoint's own answer, spoilt."""
    return Fault(endpoint, None if account is None else str(account), times=None, spoil=spoil)


def manifest(d: Desk, endpoint: str) -> dict[str, tuple[str, Any]]:
    rows = d.ask("select account_id, status, error from raw.extract_manifest where endpoint = ?", endpoint)
    return {account: (status, error) for account, status, error in rows}


@pytest.mark.parametrize("endpoint", ["positions", "instructions"])
def test_every_hostile_answer_is_one_accounts_gap_and_the_others_are_whole(endpoint: str, tmp_path: Path) -> None:
    table = "positions" if endpoint == "positions" else "position_instructions"
    failing = numbered(UNBELIEVABLE_POSITIONS if endpoint == "positions" else UNBELIEVABLE, 100001)
    kept = numbered(KEPT_POSITIONS if endpoint == "positions" else KEPT, 200001)
    with desk(tmp_path / "home", **books([*failing, *kept, HONEST])) as d:
        d.broker.faults = [spoilt(endpoint, spoil, account) for account, spoil in (failing | kept).items()]
        if endpoint == "instructions":
            d.broker.books["instructions"] = {str(each): [instruction(each)] for each in (*failing, *kept, HONEST)}
        snapshot = d.sync(FRIDAY)
        d.build()
        assert [each for each, (status, _) in manifest(d, table).items() if status == "FAILED"] == list(
            map(str, failing)
        )
        assert snapshot.accounts_complete == len(kept) + 1
        assert len(snapshot.problems) == len(failing)
        assert all(error and len(error) < 5000 for status, error in manifest(d, table).values() if status == "FAILED")
        assert d.ask("select status from quality.day") == [("INCOMPLETE",)]
        held = [each for (each,) in d.ask("select distinct account_id from core.position_eod order by 1")]
        gaps = [account for (account,) in d.ask("select account_id from quality.gap order by 1")]
        if endpoint == "positions":  # where only instructions are missing, the end of the day is known
            assert gaps == list(map(str, failing))
            assert held == list(map(str, (*kept, HONEST)))
        else:
            assert held == list(map(str, (*failing, *kept, HONEST)))
        before = landed(d)
        again = replayed(d, tmp_path / "again")
        assert again == before


def instruction(account: int) -> Row:
    return {
        "id": f"{account}-1", "account_id": account, "instruction_type": "EXERCISE", "instrument_id": "i",
        "quantity": "1",
        "status": "ACCEPTED", "created_at": "2025-10-31T15:00:00Z", "updated_at": "2025-10-31T15:00:00Z",
    }  # fmt: skip


LANDED = {
    "positions": "account_id, instrument_id, symbol, quantity, extra",
    "position_instructions": "account_id, id, extra",
    "executions": "account_id, id, extra",
    "quarantine": "account_id, endpoint, reason, row_text",
    "extract_manifest": "account_id, endpoint, status, rows_landed, rows_quarantined, error, findings, fields_seen",
}


def landed(d: Desk) -> list[list[tuple[Any, ...]]]:
    return [d.ask(f"select {columns} from raw.{name} order by all") for name, columns in LANDED.items()]


def replayed(d: Desk, home: Path) -> list[list[tuple[Any, ...]]]:
    """What a replay of the evening's archive lands in a new home."""
    with desk(home) as fresh:
        done = replay(fresh.con, fresh.settings, archive=d.settings.archive)
        assert (len(done.landed), done.damaged) == (len(archived_runs(d.settings.archive)), [])
        return landed(fresh)


EVIDENCE = ["executions", "orders", "balances", "portfolio-history"]


@pytest.mark.parametrize("endpoint", EVIDENCE)
def test_a_hostile_answer_about_evidence_is_a_failed_read_and_the_day_is_complete(
    endpoint: str, tmp_path: Path
) -> None:
    failing, kept = numbered(UNBELIEVABLE, 100001), numbered(KEPT, 200001)
    with desk(tmp_path / "home", **books([*failing, *kept, HONEST])) as d:
        d.broker.faults = [spoilt(endpoint, spoil, account) for account, spoil in (failing | kept).items()]
        d.sync(FRIDAY)
        d.build()
        found = manifest(d, endpoint.replace("-", "_"))
        assert [account for account, (status, _) in found.items() if status == "FAILED"] == list(map(str, failing))
        assert d.ask("select status from quality.day") == [("COMPLETE",)]


@pytest.mark.parametrize("endpoint", ["contracts", "events", "market-hours", "clock"])
@pytest.mark.parametrize("name", UNBELIEVABLE)
def test_a_hostile_answer_about_the_market_costs_no_account_its_day(endpoint: str, name: str, market: Desk) -> None:
    market.broker.faults = [spoilt(endpoint, UNBELIEVABLE[name])]
    assert market.sync(FRIDAY if endpoint != "clock" else TODAY).is_complete


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A desk with an option and a stock, many evenings long."""
    made = books([HONEST])
    option = position(HONEST, 7, instrument_type="OPTION")
    made["positions"][HONEST].append(option)
    made["contracts"] = [{"id": option["instrument_id"], "multiplier": "100"}]
    with desk(tmp_path_factory.mktemp("market") / "home", **made) as d:
        yield d


@pytest.mark.parametrize("name", ["instrument_id", "type", "ex_date"])
@pytest.mark.parametrize("value", [[], [[1]], {}, {"a": 1}, True, None])
def test_an_event_with_a_list_for_a_name_is_one_refused_row(name: str, value: Any, market: Desk) -> None:
    dividend = {"ex_date": "2025-10-30", "dividend_amount": "0.26"}
    happened: dict[str, Any] = {"instrument_id": "i", "type": "DIVIDEND", "dividend_event_data": dividend}
    (dividend if name == "ex_date" else happened)[name] = value
    events = {"event_dates": [{"date": "2025-10-30", "events": [happened]}]}
    market.broker.faults = [Fault("events", times=None, edit=lambda whole: whole.update(data=events))]
    run = market.sync(FRIDAY).run_id
    query = "select error from raw.extract_manifest where run_id = ? and endpoint = 'corporate_events'"
    ((error,),) = market.ask(query, run)
    assert "could not be read" not in (error or "")


TODAY = datetime.now(UTC).isoformat()
HOURS = [
    {"regular": "all day"},
    {"regular": {"open": 5, "close": [1]}},
    {"regular": {"open": "soon", "close": "later"}},
    {"regular": {"open": "2025-10-31T16:00:00-04:00", "close": "2025-10-31T09:30:00-04:00"}},
    {"regular": {"open": "2025-10-31T09:30:00", "close": "2025-10-31T16:00:00"}},
    {"regular": {"open": "0001-01-01T00:00:00+14:00", "close": "9999-12-31T23:59:59-14:00"}},
    {"regular": {"open": "2025-10-31T09:30:00-04:00", "close": "2030-10-31T16:00:00-04:00"}},
    [1],
    "open",
]


def test_market_hours_that_make_no_sense_are_a_finding_and_the_shipped_calendar_decides(tmp_path: Path) -> None:
    with desk(tmp_path / "home", **books([HONEST])) as d:
        for sessions in HOURS:
            d.broker.hours = [
                {"date": "2025-10-31", "market": "us_equities", "status": [1], "today_sessions": sessions}
            ]
            snapshot = d.sync(FRIDAY)
            assert (snapshot.is_complete, snapshot.grade) == (True, "POST_CLOSE")
        d.build()
        assert d.ask("select count(*) from quality.finding where check_name = 'hours_not_believed'")[0][0] >= 1
        assert d.ask("select status from quality.day") == [("COMPLETE",)]


CLOCKS = [
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z",
    "1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z",
]  # fmt: skip


@pytest.mark.parametrize("said", CLOCKS)
def test_a_clock_that_is_in_no_trading_day_is_not_believed_and_told(said: str, tmp_path: Path) -> None:
    with desk(tmp_path / "home", **books([HONEST])) as d:
        d.broker.faults = [Fault("clock", times=None, edit=lambda whole: whole["data"].update(clock=said))]
        snapshot = d.sync(TODAY)
        assert snapshot.is_complete
        assert d.ask("select clock_source from raw.extract_run") == [("DATE_HEADER",)]
        assert abs((snapshot.finished_at - datetime.now(UTC)).total_seconds()) < 600
        unreadable = said.endswith(("+14:00", "-14:00"))
        assert [said[:4] in alert and "not believed" in alert for alert in snapshot.alerts] == [True] * (not unreadable)
        if not unreadable:
            assert d.ask("select status, error from raw.extract_manifest where endpoint = 'clock'") == [
                ("FAILED", snapshot.alerts[0])
            ]


@pytest.mark.parametrize(
    "date", ["Fri, 31 Dec 9999 23:59:59 -1400", "Mon, 01 Jan 0001 00:00:00 +1400", "soon", "x" * 60_000]
)
def test_a_date_beyond_the_calendar_ends_nothing(date: str, tmp_path: Path) -> None:
    with desk(tmp_path / "home", **books([HONEST])) as d:
        every = ("clock", "accounts", "positions", "executions")
        d.broker.faults = [Fault(each, times=None, headers={"Date": date}) for each in every]
        assert d.sync(FRIDAY).is_complete
        d.broker.faults.insert(0, Fault("clock", times=None, status=500, headers={"Date": date}))
        assert d.sync(TODAY).is_complete


@pytest.mark.parametrize("spoil", KEPT.values(), ids=KEPT)
def test_a_name_in_the_list_of_accounts_ends_nothing(spoil: Spoil, market: Desk) -> None:
    market.broker.faults = [spoilt("accounts", spoil)]
    assert market.sync(FRIDAY).is_complete


def test_what_our_own_code_trips_over_is_one_accounts_failed_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.broker import listing

    def trip(account: str, body: bytes) -> None:
        if account == "100001":
            raise KeyError("a defect of ours")

    monkeypatch.setattr(listing, "read_table", trip)
    with desk(tmp_path / "home", **books([100001, HONEST])) as d:
        snapshot = d.sync(FRIDAY)
        assert snapshot.problems == ["positions of account 100001: could not be read: KeyError"]
        assert snapshot.accounts_complete == 1
        d.build()
        (said,) = d.ask("select value from quality.finding where check_name = 'could_not_be_read'")
        assert "a defect of ours" in said[0]
        assert "listing.py" in said[0]


def test_what_is_no_text_is_kept_as_its_escape_with_a_finding(tmp_path: Path) -> None:
    with desk(tmp_path / "home", **books([100001])) as d:
        half = of(b"symbol", b'"a\\ud800b"')
        d.broker.faults = [spoilt("positions", lambda body: field(b'{"\xff":"\\udc00"}')(half(body)), 100001)]
        assert d.sync(FRIDAY).is_complete
        d.build()
        assert d.ask("select symbol, extra from raw.positions where extra is not null") == [
            ("a\\ud800b", '{"unknown":{"\\\\udcff":"\\\\udc00"}}')
        ]
        said = d.ask("select message from quality.finding where check_name = 'not_storable' order by 1")
        assert [message.split(" ")[0] for (message,) in said] == ["symbol", "unknown"]


@pytest.mark.timeout(120)
def test_twenty_thousand_fields_cost_what_they_weigh(tmp_path: Path) -> None:
    many = {f"unknown_field_number_{n}": n for n in range(20_000)}
    with desk(tmp_path / "home", **books([100001, HONEST])) as d:
        d.sync("2025-10-30T20:30:00+00:00")
        d.broker.positions["100001"] = [position(100001, n) | many for n in range(2)]
        d.evening(FRIDAY)
        kinds = d.ask("select kind, count(*) from quality.drift group by kind order by kind")
        assert kinds == [("FIELD_APPEARED", 20_000), ("UNKNOWN_FIELD", 20_000)]
        assert d.ask("select count(*) from quality.finding where check_name = 'unknown_field'") == [(101,)]
        assert d.ask("select status from quality.day order by trading_date") == [("COMPLETE",)] * 2


@pytest.mark.timeout(120)
def test_ten_thousand_rows_that_are_findings_each_cost_what_they_weigh(tmp_path: Path) -> None:
    rows = [position(100001, n, avg_price=f"1.{'3' * 200}") for n in range(10_000)]
    with desk(tmp_path / "home", **books([100001, HONEST])) as d:
        d.broker.positions["100001"] = rows
        d.broker.most_rows = 1000
        d.evening(FRIDAY)
        assert d.ask("select count(*) from quality.finding where check_name = 'inexact_decimal'") == [(10_000,)]


def test_ids_that_no_address_holds_are_not_asked_about_and_the_others_are(tmp_path: Path) -> None:
    option = position(100001, 7, instrument_type="OPTION")
    endless = position(100001, 8, instrument_type="OPTION", instrument_id="o" * 100_000)
    with desk(tmp_path / "home", **books([100001])) as d:
        d.broker.positions["100001"] += [option, endless]
        d.broker.contracts = [{"id": option["instrument_id"], "multiplier": "100"}]
        assert d.sync(FRIDAY).is_complete
        d.build()
        assert d.ask("select id from raw.option_contracts") == [(option["instrument_id"],)]
        asked = "select length(instrument_id) from quality.finding where check_name = 'instrument_not_asked'"
        assert d.ask(asked) == [(100_000,)] * 2  # neither its contract nor its market snapshot
        assert replayed(d, tmp_path / "again") == landed(d)


def _hidden(second: bytes) -> Callable[[bytes], bytes]:
    return lambda body: body.replace(b'"error":null', b'"error":{"message":"only a part"},"error":' + second, 1)


@pytest.mark.parametrize("second", [b"null", b"{}", b'""'])
def test_an_error_is_told_in_the_brokers_words_whatever_key_comes_after_it(second: bytes, tmp_path: Path) -> None:
    with desk(tmp_path / "home", **books([100001, HONEST])) as d:
        d.broker.faults = [spoilt("positions", _hidden(second), 100001)]
        (problem,) = d.sync(FRIDAY).problems
        assert "only a part" in problem
        assert "more than once" in problem


def test_the_second_look_at_a_book_hides_no_key_that_came_twice(tmp_path: Path) -> None:
    with desk(tmp_path / "home", **books([100001, HONEST])) as d:
        d.broker.most_rows = 1
        for spoil in (_hidden(b"null"), lambda body: body[:-1] + b',"metadata":{}}'):
            d.broker.faults = [Fault("positions", "100001", skip=2, times=2, spoil=spoil)]
            snapshot = d.sync(FRIDAY)
            assert [("100001" in each) for each in snapshot.problems] == [True]
