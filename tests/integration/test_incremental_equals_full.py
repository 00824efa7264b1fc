"""After any sequence of evenings, late data, corrections, adjustments and locks the books are what a rebuild makes of
the same raw tables, to the row. DAYBOOK_SEQUENCES=200 tries more of them, with other seeds, and makes a failing one
small.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.books.locks import lock_period
from pipelines.calendar import NEW_YORK, Session, TradingCalendar
from pipelines.errors import ConfigurationError
from tests.support.facts import (
    AccountAnswer,
    Adjustment,
    Book,
    Contract,
    Evening,
    Event,
    Instruction,
    Position,
    Segment,
    SignedFill,
)
from tests.support.landing import forget, land, open_raw, settings_of

pytestmark = pytest.mark.heavy

SEQUENCES = int(os.environ.get("DAYBOOK_SEQUENCES", "0"))
CALENDAR = TradingCalendar.load()
SESSIONS = CALENDAR.sessions(date(2025, 10, 27), date(2025, 11, 14))
ACCOUNTS = ("100", "200")
STOCK, OTHER, OPTION = (f"0000000{n}-0000-4000-8000-000000000000" for n in (1, 2, 3))
CONTRACT = Contract(OPTION, "XYZ251107C00050000", STOCK, "CALL", Decimal(50), date(2025, 11, 7), Decimal(100))
SYMBOLS = {STOCK: "XYZ", OTHER: "ABC", OPTION: CONTRACT.symbol}
ZERO = Decimal(0)
RATIOS = (Decimal(2), Decimal(4), Decimal("0.5"))
#: When something was learnt, and from which run, may differ; what it is may not.
LEARNT = {"version", "known_from", "reason", "known_at", "evidence_known_at", "run_id", "semantics_source"}

accounts = st.sampled_from(ACCOUNTS)
stocks = st.sampled_from((STOCK, STOCK, OTHER))
instruments = st.sampled_from((STOCK, STOCK, OTHER, OPTION))
sizes = st.sampled_from((10, 20, -10, -20, 50, -50))
fates = st.fixed_dictionaries({account: st.sampled_from(("fine",) * 5 + ("refused", "torn")) for account in ACCOUNTS})
unread = st.sampled_from(("nothing",) * 4 + ("fills", "instructions", "events", "history"))


@dataclass
class Holder:
    """One account as the broker has it."""

    held: dict[str, Decimal] = field(default_factory=dict)
    cost: dict[str, Decimal] = field(default_factory=dict)
    fills: list[SignedFill] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    instructions: list[Instruction] = field(default_factory=list)
    segments: dict[date, Segment] = field(default_factory=dict)
    closed: date | None = None
    listed: bool = True

    def move(self, instrument: str, quantity: Decimal, price: Decimal) -> None:
        self.held[instrument] = self.held.get(instrument, ZERO) + quantity
        self.cost[instrument] = self.cost.get(instrument, ZERO) + quantity * price
        if self.held[instrument] == 0:
            self.cost[instrument] = ZERO


class Evenings(RuleBasedStateMachine):
    """A broker that changes its mind, read evening by evening, or not."""

    con: duckdb.DuckDBPyConnection
    other: duckdb.DuckDBPyConnection

    def __init__(self) -> None:
        super().__init__()
        forget(self.con)
        forget(self.other)
        self.folder = tempfile.TemporaryDirectory()
        self.number = 0
        self.fills = 0
        self.holders = {account: Holder() for account in ACCOUNTS}
        self.events: list[Event] = []
        self.contracts: list[Contract] = []
        self.adjustments: list[Adjustment] = []
        self.landed: list[Evening] = []

    @property
    def session(self) -> Session:
        return SESSIONS[self.number]

    @initialize(late=st.booleans(), size=sizes)
    def _open(self, late: bool, size: int) -> None:
        self.holders["200"].listed = not late
        for holder in self.holders.values():
            holder.move(STOCK, Decimal(100), Decimal(50))
            holder.move(OPTION, Decimal(size) / 10, Decimal(2))

    # ---- what happens at the broker

    @rule(
        account=accounts, instrument=instruments, size=sizes, when=st.sampled_from(("day", "day", "evening", "night"))
    )
    def _trade(self, account: str, instrument: str, size: int, when: str) -> None:
        quantity = Decimal(size) if instrument != OPTION else Decimal(size) / 10
        self.fills += 1
        at = {
            "day": self.session.open + timedelta(minutes=self.fills),
            "evening": datetime.combine(self.session.date, time(17, self.fills % 60), NEW_YORK),
            "night": datetime.combine(self.session.date, time(21, self.fills % 60), NEW_YORK),
        }[when]
        underlying = STOCK if instrument == OPTION else None
        number = f"f0000000-0000-4000-8000-{self.fills:012}"
        holder = self.holders[account]
        holder.fills.append(SignedFill(number, instrument, quantity, self._price(instrument), at, underlying))
        holder.move(instrument, quantity, self._price(instrument))

    @rule(account=accounts, instrument=instruments, size=sizes, ratio=st.sampled_from((None, None, *RATIOS)))
    def _move_without_a_fill(self, account: str, instrument: str, size: int, ratio: Decimal | None) -> None:
        """A transfer that nobody tells of; or a split, in every account's book."""
        if ratio is None:
            self.holders[account].move(instrument, Decimal(size), self._price(instrument))
            return
        for holder in self.holders.values():
            holder.held[STOCK] = holder.held.get(STOCK, ZERO) * ratio

    @rule(account=accounts, data=st.data(), what=st.sampled_from(("list", "list", "price", "time")))
    def _revise_a_fill(self, account: str, data: st.DataObject, what: str) -> None:
        """Take it out of the list, put it back, or change it."""
        holder = self.holders[account]
        if not holder.fills:
            return
        index = data.draw(st.integers(0, len(holder.fills) - 1))
        fill = holder.fills[index]
        if what == "list":
            holder.gone ^= {fill.id}
        elif what == "price":
            holder.fills[index] = replace(fill, price=(fill.price or ZERO) + 1)
        else:
            holder.fills[index] = replace(fill, at=fill.at - timedelta(days=1))

    @rule(stock=stocks, around=st.integers(-3, 3), ratio=st.sampled_from((None, *RATIOS)), again=st.booleans())
    def _announce(self, stock: str, around: int, ratio: Decimal | None, again: bool) -> None:
        """A split or a dividend; or the last one again, on another day."""
        event = Event(stock, self._day(around), ratio, Decimal("0.35") if ratio is None else None)
        if again and self.events:
            event = replace(self.events.pop(), day=self._day(around))
        self.events.append(event)

    @precondition(lambda self: self.events)
    @rule(data=st.data())
    def _withdraw_an_event(self, data: st.DataObject) -> None:
        self.events.pop(data.draw(st.integers(0, len(self.events) - 1)))

    @rule(account=accounts, around=st.integers(-4, 0), realized=st.sampled_from((0, 30, 50)))
    def _tell_of_a_day(self, account: str, around: int, realized: int) -> None:
        day = self._day(around)
        net = Decimal(realized + 10)
        self.holders[account].segments[day] = Segment(
            day, Decimal(realized), Decimal(10), net, Decimal(1000), Decimal(1000) + net
        )

    @rule(
        account=accounts,
        kind=st.sampled_from(("EXERCISE", "DO_NOT_EXERCISE")),
        back=st.integers(0, 3),
        cancels=st.booleans(),
    )
    def _instruct(self, account: str, kind: str, back: int, cancels: bool) -> None:
        """An instruction accepted today or earlier; or the last one cancelled."""
        holder = self.holders[account]
        at = CALENDAR.session(self._day(-back)).open + timedelta(hours=1)
        if cancels and holder.instructions:
            at = max(at, holder.instructions[-1].created_at)
            holder.instructions[-1] = replace(holder.instructions[-1], status="CANCELLED", updated_at=at)
            return
        number = f"e{account:0>7}-0000-4000-8000-{len(holder.instructions):012}"
        one = Decimal(1)
        holder.instructions.append(Instruction(number, OPTION, kind, one, "ACCEPTED", one, at, at))

    @rule(multiplier=st.sampled_from((100, 150)))
    def _list_the_contract(self, multiplier: int) -> None:
        self.contracts = [replace(CONTRACT, multiplier=Decimal(multiplier))]

    @rule(account=accounts, close=st.sampled_from((None, 0, -1)), listed=st.booleans())
    def _open_or_close_an_account(self, account: str, close: int | None, listed: bool) -> None:
        holder = self.holders[account]
        holder.closed = None if close is None else self._day(close)
        holder.listed = listed or account == ACCOUNTS[0]

    # ---- what people say

    @rule(
        account=st.sampled_from((*ACCOUNTS, "999")),
        stock=stocks,
        size=sizes,
        around=st.integers(-4, 0),
        times=st.sampled_from((-1, 1, 2)),
    )
    def _say(self, account: str, stock: str, size: int, around: int, times: int) -> None:
        """A line of adjustments.csv, or two equal ones, of a Saturday too; or the last one taken back."""
        if times < 0 and self.adjustments:
            self.adjustments.pop()
            return
        value = Decimal(size) * 50
        day = self._day(around) + timedelta(days=times - 1)
        line = Adjustment(day, account, "TRANSFER", stock, None, Decimal(size), None, value, value)
        self.adjustments += [line] * abs(times)

    @precondition(lambda self: self.landed)
    @rule(back=st.integers(0, 2), account=st.sampled_from((None, *ACCOUNTS)))
    def _lock(self, back: int, account: str | None) -> None:
        try:
            lock_period(self.con, self._day(-back), account, at=self.landed[-1].at)
        except ConfigurationError:
            return  # not known yet, or closed already

    # ---- evenings

    @rule(fates=fates, unread=unread)
    def _read_at_the_close(self, fates: dict[str, str], unread: str) -> None:
        self._read(self.session.close + timedelta(minutes=30), fates, unread)

    @rule(fates=fates, unread=unread, days=st.sampled_from((1, 1, 2)))
    def _read_in_the_evening(self, fates: dict[str, str], unread: str, days: int) -> None:
        """And `days` sessions go by: with 2 an evening is missed."""
        self._read(datetime.combine(self.session.date, time(19, 55), NEW_YORK), fates, unread)
        self.number = min(self.number + days, len(SESSIONS) - 1)

    @rule(fates=fates, unread=unread)
    def _read_in_the_night(self, fates: dict[str, str], unread: str) -> None:
        self._read(datetime.combine(self.session.date + timedelta(days=1), time(3, 30), NEW_YORK), fates, unread)
        self.number = min(self.number + 1, len(SESSIONS) - 1)

    @rule(fates=fates, unread=unread, hours=st.sampled_from((-1, -1, 2)), missed=st.sampled_from((True, True, False)))
    def _read_in_the_morning(self, fates: dict[str, str], unread: str, hours: int, missed: bool) -> None:
        """Before the open, or while it is open: it stands in where nobody read the evening before."""
        self.number = min(self.number + missed, len(SESSIONS) - 1)
        at = self.session.open + timedelta(hours=hours)
        if not self.landed or at > self.landed[-1].at:
            self._read(at, fates, unread)

    def _read(self, at: datetime, fates: dict[str, str], unread: str) -> None:
        if self.landed and at <= self.landed[-1].at:
            at = self.landed[-1].at + timedelta(minutes=1)
        listed = {name: holder for name, holder in self.holders.items() if holder.listed}
        evening = Evening(
            at,
            {name: self._answer(holder, fates[name], at, unread) for name, holder in listed.items()},
            tuple(self.contracts),
            () if unread == "events" else tuple(self.events),
            {name: holder.closed for name, holder in listed.items() if holder.closed},
        )
        land(self.con, evening)
        self.landed.append(evening)
        build(self.con, self._settings(), CATALOG, built_at=at)

    def _answer(self, holder: Holder, fate: str, at: datetime, unread: str) -> AccountAnswer:
        closed_on = self.session.date if at > self.session.close else CALENDAR.previous(self.session.date)
        positions = [self._position(i, holder, closed_on) for i, quantity in sorted(holder.held.items()) if quantity]
        since = self._since()
        fills = tuple(f for f in holder.fills if f.id not in holder.gone and since <= f.at <= at)
        history = tuple(holder.segments.values())
        return AccountAnswer(
            positions=None if fate == "refused" else tuple(positions[1:] if fate == "torn" else positions),
            fills_since=since,
            whole=fate != "torn",
            fills=None if unread == "fills" else fills,
            instructions=None
            if unread == "instructions"
            else tuple(i for i in holder.instructions if i.updated_at <= at),
            history=None if unread == "history" else history,
        )

    def _since(self) -> datetime:
        day = self.session.date
        for _ in range(3):
            day = CALENDAR.previous(day)
        return CALENDAR.session(day).close

    def _position(self, instrument: str, holder: Holder, closed_on: date) -> Position:
        price, quantity = self._price(instrument), holder.held[instrument]
        value = quantity * price * (100 if instrument == OPTION else 1)
        cost = holder.cost[instrument]
        kind = "OPTION" if instrument == OPTION else "COMMON_STOCK"
        return Position(
            *(instrument, SYMBOLS[instrument], kind, quantity, value, cost, None, value - cost),
            *(price, closed_on, price, None, None, STOCK if instrument == OPTION else None),
        )

    def _price(self, instrument: str) -> Decimal:
        return {STOCK: Decimal(50), OTHER: Decimal(20), OPTION: Decimal(2)}[instrument] + Decimal(self.number) / 4

    def _day(self, around: int) -> date:
        return SESSIONS[max(0, min(self.number + around, len(SESSIONS) - 1))].date

    def _settings(self) -> Any:
        return settings_of(Book((), tuple(self.adjustments)), Path(self.folder.name))

    # ---- compared

    def teardown(self) -> None:
        """Whatever happened: rebuilt from the same raw tables the books say the same."""
        try:
            if self.landed:
                self._compare()
        finally:
            self.folder.cleanup()

    def _compare(self) -> None:
        at = self.landed[-1].at
        build(self.con, self._settings(), CATALOG, built_at=at)  # what was said since
        for evening in self.landed:
            land(self.other, evening)
        build(self.other, self._settings(), CATALOG, built_at=at)
        stored = [table.name for table in CATALOG.of_kind("days", "versions")]
        for table in [*stored, "pnl.account_history", "pnl.performance"]:
            incremental, full = (set(rows_of(con, table)) for con in (self.con, self.other))
            assert not incremental ^ full, (
                table,
                sorted(map(str, incremental - full)),
                sorted(map(str, full - incremental)),
            )


def rows_of(con: duckdb.DuckDBPyConnection, table: str) -> Iterable[tuple[Any, ...]]:
    """Every row of a table as text, without when and from which run it was learnt."""
    columns = [f'"{row[0]}"' for row in con.execute(f"describe {table}").fetchall() if row[0] not in LEARNT]
    found = con.execute(f"select {', '.join(columns)}, count(*) from {table} group by all").fetchall()
    return [tuple(f"{name}={value}" for name, value in zip([*columns, "times"], row, strict=True)) for row in found]


def test_incremental_equals_full() -> None:
    with open_raw() as con, open_raw() as other:
        Evenings.con, Evenings.other = con, other
        Evenings.TestCase.settings = settings(
            max_examples=SEQUENCES or 8,
            stateful_step_count=40,
            derandomize=not SEQUENCES,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink) if SEQUENCES else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        Evenings.TestCase("runTest").runTest()
