"""The hand-checked books of ../shared/scenarios, replayed over HTTP by a broker, day by day, as their README says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from assets.catalog import CATALOG
from pipelines.books.build import Built, build
from pipelines.books.locks import lock_period
from pipelines.ingest.snapshot import Snapshot, take_snapshot
from pipelines.settings import Settings
from tests.support.broker_server import BrokerServer, Fault, account

SCENARIOS = Path(__file__).parents[3] / "shared" / "scenarios"
REALIZED = {"reported_since_cost": "since_cost", "reported_since_prior_close": "since_prior_close"}
SAID_BY_PEOPLE = ("TRANSFER", "ID_CHANGE", "CASH_IN_LIEU", "CASH_SETTLEMENT")


@cache
def scenarios(name: str = "scenarios.json") -> dict[str, dict[str, Any]]:
    """Every scenario of a file by its id; none where the folder is absent."""
    path = SCENARIOS / name
    if not path.exists():
        return {}
    return {each["id"]: each for each in json.loads(path.read_text())["scenarios"]}


class Replay:
    """One scenario against the real pipeline: its broker, its settings and its warehouse."""

    def __init__(self, scenario: dict[str, Any], home: Path) -> None:
        self.scenario = scenario
        self.readings: Iterator[datetime] = iter(())
        self.last: datetime | None = None
        self.history: dict[str, dict[str, Any]] = {}
        self.fills: dict[str, dict[str, Any]] = {}
        self.broker = BrokerServer(scenario["accounts"], positions={}, instructions={}, now=self._now)
        self.home = home

    def _now(self) -> datetime:
        self.last = next(self.readings, self.last)
        assert self.last is not None
        return self.last

    def settings(self) -> Settings:
        """The environment that the scenario's mode asks for."""
        return Settings(
            base_url=self.broker.url, home=self.home, realized=REALIZED.get(self.scenario.get("mode", ""), "auto")
        )

    def run(self, con: duckdb.DuckDBPyConnection) -> Iterator[tuple[Snapshot, Built]]:
        """Replay every day: a sync and a build each, and the period closed where the day says so."""
        settings = self.settings()
        settings.prepare_home()
        for day in self.scenario["days"]:
            self._write_adjustments(settings.adjustments, day["date"])
            self._set(day)
            snapshot = take_snapshot(con, settings)
            known_at = datetime.fromisoformat(day.get("known_at", day["snapshot_at"]))
            built = build(con, settings, CATALOG, built_at=known_at)
            if "lock_through" in day:
                locked_at = datetime.fromisoformat(day["lock_at"]) if "lock_at" in day else known_at
                lock_period(con, date.fromisoformat(day["lock_through"]), at=locked_at)
                build(con, settings, CATALOG, built_at=known_at)
            yield snapshot, built

    def _set(self, day: dict[str, Any]) -> None:
        snapshot_at = datetime.fromisoformat(day["snapshot_at"])
        self.readings = iter([snapshot_at, datetime.fromisoformat(day.get("known_at", day["snapshot_at"]))])
        accounts = [str(account) for account in self.scenario["accounts"]]
        self.broker.accounts = [account(each, **self._state(each, day)) for each in self._listed(day)]
        self.broker.forbidden = {(str(each), "positions") for each in day.get("failed_accounts", ())}
        self.broker.books["positions"] = _by_account(day["positions"], accounts)
        instructions = _by_account(self._instructions(snapshot_at), accounts)
        self.broker.books["instructions"] = None if day.get("instructions_forbidden") else instructions
        self.broker.books["executions"] = self._executions(day, snapshot_at, accounts)
        balances = {str(each["account_id"]): each for each in day.get("balances", ())}
        self.broker.books["balances"] = balances or None
        for segment in day.get("portfolio_history", ()):
            self.history[f"{segment['account_id']}/{segment['date']}"] = segment
        history = _by_account(list(self.history.values()), accounts)
        self.broker.books["portfolio-history"] = history if self.history else None
        self.broker.contracts = self._listed_on(day, "contracts")
        self.broker.events = _events(self._listed_on(day, "events"))
        self.broker.faults = [_wrong_total(day["total_items"])] if "total_items" in day else []

    def _listed(self, day: dict[str, Any]) -> list[Any]:
        last = self.scenario.get("accounts_last_seen", {})
        return [each for each in self.scenario["accounts"] if day["date"] <= last.get(str(each), day["date"])]

    def _state(self, account_id: Any, day: dict[str, Any]) -> dict[str, Any]:
        states = self.scenario.get("account_states", {}).get(str(account_id), ())
        changes = [each for each in states if each["from"] <= day["date"]]
        return {name: value for name, value in changes[-1].items() if name != "from"} if changes else {}

    def _executions(self, day: dict[str, Any], at: datetime, accounts: list[str]) -> dict[str, Any] | None:
        if self.scenario.get("mode") != "executions" or day.get("executions_forbidden"):
            return None
        for fill in day.get("executions", ()):
            self.fills[f"{fill['account_id']}/{fill['id']}"] = fill
        for fill_id in day.get("executions_gone", ()):
            self.fills = {key: fill for key, fill in self.fills.items() if fill["id"] != fill_id}
        so_far = [fill for fill in self.fills.values() if datetime.fromisoformat(fill["transaction_time"]) <= at]
        return _by_account(so_far, accounts)

    def _listed_on(self, day: dict[str, Any], name: str) -> list[dict[str, Any]] | None:
        """The contracts or events that the broker lists on that day, without what says when it lists them."""
        rows = self.scenario.get(name)
        if rows is None:
            return None
        listed = [r for r in rows if r.get("known_from", "") <= day["date"] < r.get("known_until", "9999")]
        return [{key: value for key, value in row.items() if not key.startswith("known_")} for row in listed]

    def _instructions(self, at: datetime) -> list[dict[str, Any]]:
        rows = []
        for instruction in self.scenario.get("instructions", ()):
            cancelled_at = instruction.get("cancelled_at")
            instruction = {name: value for name, value in instruction.items() if name != "cancelled_at"}
            if datetime.fromisoformat(instruction["created_at"]) > at:
                continue
            if datetime.fromisoformat(instruction["updated_at"]) > at:
                instruction |= {"status": "SENT", "accepted_quantity": None}
            if cancelled_at and datetime.fromisoformat(cancelled_at) <= at:
                instruction |= {"status": "CANCELLED", "updated_at": cancelled_at}
            rows.append(instruction)
        return rows

    def _write_adjustments(self, path: Path, day: str) -> None:
        lines = [
            each
            for each in self.scenario.get("lifecycle", ())
            if each["kind"] in SAID_BY_PEOPLE
            and each.get("said_from", each["date"]) <= day < each.get("said_until", "9999")
        ]
        columns = ["trading_date", "account_id", "kind", "instrument_id", "to_instrument_id"]
        columns += ["quantity", "cash", "value", "cost_basis", "author", "note"]
        rows = [",".join(columns)]
        for line in lines:
            known = {**line, "trading_date": line["date"], "author": "ops", "note": self.scenario["id"]}
            known.setdefault("instrument_id", line.get("from_instrument_id") or line.get("option_instrument_id"))
            rows.append(",".join(str(known.get(column) or "") for column in columns))
        path.write_text("\n".join(rows) + "\n")


def _wrong_total(total: int) -> Fault:
    def edit(whole: dict[str, Any]) -> None:
        whole["metadata"]["total_items"] = total

    return Fault("positions", times=None, edit=edit)


def _by_account(rows: list[dict[str, Any]], accounts: list[str]) -> dict[str, Any]:
    return {account: [row for row in rows if str(row["account_id"]) == account] for account in accounts}


def _events(events: list[dict[str, Any]] | None) -> dict[str, dict[str, Any]] | None:
    if events is None:
        return None
    grouped: dict[str, dict[str, Any]] = {}
    for event in events:
        known = grouped.setdefault(
            event["instrument_id"],
            {"instrument_id": event["instrument_id"], "splits": [], "dividends": [], "earnings": [], "ipos": []},
        )
        rest = {name: value for name, value in event.items() if name not in ("instrument_id", "type")}
        known["splits" if event["type"] == "SPLIT" else "dividends"].append(rest)
    return grouped
