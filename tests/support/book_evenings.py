"""What a broker answers on each evening of a random book: some runs missing, some torn or refused, some with holes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from pipelines.calendar import NEW_YORK, Session, TradingCalendar
from tests.support.facts import AccountAnswer, Evening, Position
from tests.support.ledger import CENT, ZERO, LedgerAccount, fills_seen, instructions_seen

CALENDAR = TradingCalendar.load()
HOLES = (
    (),
    ("unrealized_pnl",),
    ("cost_basis",),
    ("avg_price",),
    ("unrealized_pnl", "cost_basis"),
    ("cost_basis", "avg_price"),
    ("unrealized_pnl", "cost_basis", "avg_price"),
    ("closing_price",),
    ("daily_realized_pnl",),
    ("daily_unrealized_pnl",),
)
CASH = "b0000000-0000-4000-8000-000000000999"

Draw = Callable[[st.SearchStrategy[Any]], Any]


def rarely(draw: Draw, times: int) -> bool:
    """True once in so many times; a smaller example has less of it."""
    return bool(draw(st.integers(1, times)) == times)


def evenings_of(draw: Draw, sessions: tuple[Session, ...], accounts: list[LedgerAccount]) -> tuple[Evening, ...]:
    """A run after each close, but for a few that nobody made; and now and then one at 03:30 with better marks."""
    newcomer = draw(st.sampled_from((0, 0, 1, 2))) if len(accounts) > 1 else 0
    worlds = list({id(account.world): account.world for account in accounts}.values())
    contracts = tuple(o.contract for w in worlds if w.shows_contracts for o in w.options() if o.contract)
    events = tuple(event for world in worlds for event in world.events)
    last_complete: dict[str, date] = {}
    made: list[Evening] = []
    for day, session in enumerate(sessions):
        if day and rarely(draw, 6):
            continue
        kind = draw(st.sampled_from(("close", "close", "close", "evening", "night")))
        at = _run_at(session, kind)
        if made and rarely(draw, 8):
            made.append(_intraday(made[-1], session))
        answers = {}
        for account in accounts if day >= newcomer else accounts[:-1]:
            answer = _answer(draw, account, day, at, last_complete.get(account.name))
            answers[account.name] = answer
            if answer.positions is not None and answer.whole:
                last_complete[account.name] = session.date
        made.append(Evening(at, answers, contracts, events))
        if kind != "night" and rarely(draw, 5):
            made.append(_corrected(draw, accounts, made[-1], day, last_complete))
    return tuple(made)


def _run_at(session: Session, kind: str) -> datetime:
    """Half an hour after the close, at 19:55, or only at 03:30 when the trading day is nearly over."""
    if kind == "evening":
        return datetime.combine(session.date, time(19, 55), NEW_YORK)
    return _night(session) if kind == "night" else session.close + timedelta(minutes=30)


def _night(session: Session) -> datetime:
    return datetime.combine(session.date + timedelta(days=1), time(3, 30), NEW_YORK)


def _answer(draw: Draw, account: LedgerAccount, day: int, at: datetime, last_complete: date | None) -> AccountAnswer:
    world = account.world
    session = world.sessions[day]
    readable = world.reads_fills == "always" or (world.reads_fills == "sometimes" and draw(st.booleans()))
    fate = draw(st.sampled_from(("fine",) * 8 + ("refused", "torn")))
    positions = _with_hole(draw, account.evenings[day].values())
    positions += [_cash(len(account.fills))] if world.shows_cash else []
    since = _two_before(last_complete or session.date)
    return AccountAnswer(
        positions=None if fate == "refused" else tuple(positions[1:] if fate == "torn" else positions),
        fills_since=since,
        whole=fate != "torn",
        fills=fills_seen(account, since, at) if readable else None,
        instructions=instructions_seen(account, at),
        history=tuple(each for each in account.segments if each.day <= session.date) if world.has_history else None,
        daily_pnl=_balance(draw, account, positions, day),
    )


def _balance(draw: Draw, account: LedgerAccount, positions: Iterable[Position], day: int) -> Decimal | None:
    """The broker's total of the day: of one reading of its daily fields, of the other, or of neither."""
    kind = draw(st.sampled_from((None, None, "since_cost", "since_prior_close", "neither")))
    if kind is None:
        return None
    total = Decimal(7) if kind == "neither" else ZERO
    before = account.evenings[day - 1] if day else {}
    for position in positions:
        start = before.get(position.instrument_id)
        change = (position.unrealized_pnl or ZERO) - (start.unrealized_pnl or ZERO if start else ZERO)
        total += position.daily_realized_pnl or ZERO
        total += change if kind == "since_cost" else position.daily_unrealized_pnl or ZERO
    return total.quantize(CENT)


def _cash(amount: int) -> Position:
    """Cash comes in the same listing, and is no position."""
    worth = Decimal(10000 + amount)
    return Position(CASH, "USD", "CASH", worth, worth, worth, Decimal(1), ZERO, Decimal(1), None, Decimal(1))


def _two_before(day: date) -> datetime:
    for _ in range(2):
        day = CALENDAR.previous(day)
    return CALENDAR.session(day).close


def _with_hole(draw: Draw, positions: Iterable[Position]) -> list[Position]:
    rows = list(positions)
    if not rows or not rarely(draw, 4):
        return rows
    index = draw(st.integers(0, len(rows) - 1))
    rows[index] = replace(rows[index], **_nothing(draw(st.sampled_from(HOLES))))
    return rows


def _nothing(names: tuple[str, ...]) -> dict[str, Any]:
    return dict.fromkeys(names)


def _corrected(
    draw: Draw, accounts: list[LedgerAccount], evening: Evening, day: int, last_complete: dict[str, date]
) -> Evening:
    """The 03:30 run: the same books with some prices put right."""
    at = _night(accounts[0].world.sessions[day])
    cents = Decimal(draw(st.integers(-80, 80))) / 100
    answers = {}
    for account in accounts:
        answer = evening.answers.get(account.name)
        if answer is None:
            continue
        positions = answer.positions
        if positions is not None:
            positions = tuple(_remark(position, cents) for position in positions)
            since = _two_before(last_complete.get(account.name, account.world.sessions[day].date))
            fills = None if answer.fills is None else fills_seen(account, since, at)
            answer = replace(answer, positions=positions, fills_since=since, fills=fills)
        answers[account.name] = replace(answer, instructions=instructions_seen(account, at))
    return replace(evening, at=at, answers=answers)


def _intraday(last: Evening, session: Session) -> Evening:
    """A run in mid-session: the books of the evening before, which stand for nothing."""
    at = session.open + timedelta(hours=2)
    answers = {name: replace(answer, fills=None, instructions=None) for name, answer in last.answers.items()}
    return replace(last, at=at, answers=answers)


def _remark(position: Position, cents: Decimal) -> Position:
    if position.closing_price is None or position.quantity == 0 or position.instrument_type == "CASH":
        return position
    price = max(position.closing_price + cents, CENT)
    worth = position.market_value / position.closing_price
    value = worth * price
    change = value - position.market_value
    unrealized = None if position.unrealized_pnl is None else position.unrealized_pnl + change
    return replace(position, closing_price=price, instrument_price=price, market_value=value, unrealized_pnl=unrealized)
