"""The hand-checked books of ../shared/scenarios, replayed over HTTP by a broker, day by day, as their README says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from assets.catalog import CATALOG
from pipelines.books.build import Built, build
from pipelines.ingest.snapshot import Snapshot, take_snapshot
from pipelines.settings import Settings
from tests.support.broker_server import BrokerServer, Fault

SCENARIOS = Path(__file__).parents[3] / "shared" / "scenarios" / "scenarios.json"
REALIZED = {"reported_since_cost": "since_cost", "reported_since_prior_close": "since_prior_close"}
SAID_BY_PEOPLE = ("TRANSFER", "ID_CHANGE", "CASH_IN_LIEU", "CASH_SETTLEMENT")


@cache
def scenarios() -> dict[str, dict[str, Any]]:
    """Every scenario by its id; none where the folder is absent."""
    if not SCENARIOS.exists():
        return {}
    return {each["id"]: each for each in json.loads(SCENARIOS.read_text())["scenarios"]}


class Replay:
    """One scenario against the real pipeline: its broker, its settings and its warehouse."""

    def __init__(self, scenario: dict[str, Any], home: Path) -> None:
        self.scenario = scenario
        self.readings: Iterator[datetime] = iter(())
        self.last: datetime | None = None
        self.history: dict[str, dict[str, Any]] = {}
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
        """Replay every day: a sync and a build each."""
        settings = self.settings()
        settings.prepare_home()
        self._write_adjustments(settings.adjustments)
        for day in self.scenario["days"]:
            self._set(day)
            snapshot = take_snapshot(con, settings)
            yield (
                snapshot,
                build(con, settings, CATALOG, built_at=datetime.fromisoformat(day.get("known_at", day["snapshot_at"]))),
            )

    def _set(self, day: dict[str, Any]) -> None:
        snapshot_at = datetime.fromisoformat(day["snapshot_at"])
        self.readings = iter([snapshot_at, datetime.fromisoformat(day.get("known_at", day["snapshot_at"]))])
        accounts = [str(account) for account in self.scenario["accounts"]]
        failed = {str(account) for account in day.get("failed_accounts", ())}
        self.broker.forbidden = {(account, "positions") for account in failed}
        self.broker.books["positions"] = _by_account(day["positions"], accounts)
        self.broker.books["instructions"] = _by_account(self._instructions(snapshot_at), accounts)
        self.broker.books["executions"] = None
        if self.scenario.get("mode") == "executions":
            fills = [fill for each in self.scenario["days"] for fill in each.get("executions", ())]
            so_far = [fill for fill in fills if datetime.fromisoformat(fill["transaction_time"]) <= snapshot_at]
            self.broker.books["executions"] = _by_account(so_far, accounts)
        balances = {str(each["account_id"]): each for each in day.get("balances", ())}
        self.broker.books["balances"] = balances or None
        for segment in day.get("portfolio_history", ()):
            self.history[f"{segment['account_id']}/{segment['date']}"] = segment
        history = _by_account(list(self.history.values()), accounts)
        self.broker.books["portfolio-history"] = history if self.history else None
        self.broker.contracts = self.scenario.get("contracts")
        self.broker.events = _events(self.scenario.get("events"))
        self.broker.faults = [_wrong_total(day["total_items"])] if "total_items" in day else []

    def _instructions(self, at: datetime) -> list[dict[str, Any]]:
        rows = []
        for instruction in self.scenario.get("instructions", ()):
            if datetime.fromisoformat(instruction["created_at"]) > at:
                continue
            if datetime.fromisoformat(instruction["updated_at"]) > at:
                instruction = {**instruction, "status": "SENT", "accepted_quantity": None}
            rows.append(instruction)
        return rows

    def _write_adjustments(self, path: Path) -> None:
        lines = [each for each in self.scenario.get("lifecycle", ()) if each["kind"] in SAID_BY_PEOPLE]
        if not lines:
            return
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
