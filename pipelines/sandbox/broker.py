"""The stand-in's one object: market, clock, books, keys and pages, and what every handler asks of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import count

from pipelines.sandbox.account_book import AccountBook, AccountSession
from pipelines.sandbox.bulk import BulkBook, bulk_books
from pipelines.sandbox.clock import SettableClock
from pipelines.sandbox.facts import CashMove
from pipelines.sandbox.figures import Figures
from pipelines.sandbox.incidents import NO_INCIDENTS, Incidents
from pipelines.sandbox.instructions import InstructionTimeline, scripted_instructions
from pipelines.sandbox.instruments import Instrument, identity, stock, unpadded_symbol
from pipelines.sandbox.ledger import ZERO
from pipelines.sandbox.market import Market
from pipelines.sandbox.orders import scripted_orders
from pipelines.sandbox.paging import Pager
from pipelines.sandbox.past import past_sessions
from pipelines.sandbox.prices import SYMBOLS
from pipelines.sandbox.program import Program, programs
from pipelines.sandbox.replies import ErrorAnswer
from pipelines.sandbox.truth import Truth

Bulk = Mapping[str, int] | Sequence[int]


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """How a stand-in behaves. `keys` None: any key will do; a read-only key may not write; `short_sales` False writes a
    short sale as SELL, as the API has done since its SDK 0.8.0; `bare_errors` leaves the envelope off errors;
    portfolio-history of a year in `partial_years` comes in part (207), and of one in `slow_years` too late (504);
    `incidents` are what goes wrong for a time."""

    seed: int = 1
    keys: Collection[str] | None = None
    read_only_keys: Collection[str] = ("read-only",)
    short_sales: bool = True
    bare_errors: bool = False
    bulk: Bulk = ()
    partial_years: Collection[int] = ()
    slow_years: Collection[int] = ()
    incidents: Incidents = NO_INCIDENTS


class Broker:
    """Accounts and their books on one market under one clock."""

    def __init__(self, market: Market, clock: SettableClock, settings: BrokerOptions) -> None:
        self.market, self.clock, self.settings = market, clock, settings
        self.pager = Pager(f"pages of {settings.seed}")
        scripted = [_book(program, market, settings.seed) for program in programs(settings.seed)]
        self._books: dict[str, AccountBook] = {
            str(book.profile.id): book for book in [*scripted, *bulk_books(settings.bulk, market)]
        }
        self._scripted = scripted
        self._instruments = dict(_names(list(self._books.values())))
        self._requests = count(1)

    @property
    def truth(self) -> Truth:
        """The P&L truth of the scripted accounts, as their books stand: close requests made so far are in it."""
        return Truth(self._scripted, self.market)

    def next_request_id(self) -> str:
        """The id of one more request."""
        return identity(self.settings.seed, "request", next(self._requests))

    def accounts(self) -> list[AccountBook]:
        """All books, by account id."""
        return sorted(self._books.values(), key=lambda book: book.profile.id)

    def book(self, account_id: str) -> AccountBook:
        """One account's book. One that isn't there is refused like one that isn't the caller's: 403."""
        found = self._books.get(account_id)
        if found is None:
            raise ErrorAnswer(403, "The caller does not have permission to execute the specified operation")
        return found

    def standing(self, book: AccountBook) -> tuple[AccountSession, Figures]:
        """An account's day and figures now. Refuses (403) while the clock is before its opening."""
        found = book.at(self.clock.now)
        if found is None:
            raise ErrorAnswer(403, f"Account {book.profile.id} was not open yet")
        return found

    def instrument(self, name: str) -> Instrument | None:
        """An instrument by UUID or by symbol; option symbols with or without their padding."""
        return self._instruments.get(name.lower()) or self._instruments.get(unpadded_symbol(name))

    def stocks(self) -> list[Instrument]:
        """Every stock that an account trades."""
        distinct = {each.id: each for each in self._instruments.values() if each.underlying is None}
        return sorted(distinct.values(), key=lambda each: each.symbol)

    def options(self) -> list[Instrument]:
        """Every option contract that any account trades, by symbol."""
        distinct = {each.id: each for each in self._instruments.values() if each.underlying is not None}
        return sorted(distinct.values(), key=lambda each: each.symbol)

    def available(self, book: AccountBook, instrument: Instrument, held: Decimal) -> Decimal:
        """The part of a position (signed) that no working close order and no pending instruction has a claim on."""
        now = self.clock.now
        orders = (each for each in book.orders if each.order_type == "MARKET" and each.works(now))
        claims = [order.leaves(now) for order in orders if order.instrument.id == instrument.id]
        claims += [
            given.quantity
            for given in book.instructions
            if given.instrument.id == instrument.id and self._pending(given)
        ]
        claimed = sum(claims, ZERO)
        return max(held - claimed, ZERO) if held > 0 else min(held + claimed, ZERO)

    def _pending(self, given: InstructionTimeline) -> bool:
        """Whether an instruction is known by now and hasn't yet moved anything."""
        now, market = self.clock.now, self.market
        if given.created_at > now:
            return False
        status = given.status(now)
        return status in ("SENT", "CANCEL_REQUESTED") or (
            status == "ACCEPTED" and market.session_at(given.decided_at) == market.session_at(now)
        )


def _book(program: Program, market: Market, seed: int) -> AccountBook:
    """An account's book from its script; money comes and goes half an hour after the open."""
    flows = [
        CashMove(market.sessions[market.index(day)].open + timedelta(minutes=30), "FLOW", amount)
        for day, amount in program.flows
    ]
    orders = scripted_orders(program, market, seed)
    profile = program.profile
    before = market.calendar.sessions(profile.open_date, profile.plays_from - timedelta(days=1))
    past = past_sessions(before, profile.brought, f"{seed}/past/{profile.id}")
    return AccountBook(profile, market, orders, scripted_instructions(program, market, seed), flows, past)


def _names(books: Sequence[AccountBook]) -> Iterator[tuple[str, Instrument]]:
    """Every instrument under each name that it may be asked for by."""
    traded = [order.instrument for book in books for order in book.orders]
    bulk_instruments = [row.position.instrument for book in books if isinstance(book, BulkBook) for row in book.rows]
    for instrument in [*map(stock, SYMBOLS), *traded, *bulk_instruments]:
        yield instrument.id, instrument
        yield unpadded_symbol(instrument.symbol), instrument
