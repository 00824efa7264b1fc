"""The reading client: one method per endpoint that the sync reads. It can only GET, whatever it is asked."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Generic
from urllib.parse import quote

from models.fields import ACCOUNT_ID, parse_instant
from models.reading import read_page
from models.shapes import (
    ACCOUNTS,
    BALANCES,
    CLOCK,
    EVENTS_BY_DATE,
    EXECUTIONS,
    INSTRUCTIONS,
    INSTRUMENT_EVENTS,
    MARKET_HOURS,
    MARKET_SNAPSHOT,
    OPTION_CONTRACTS,
    ORDERS,
    PORTFOLIO_HISTORY,
    POSITIONS,
    Shape,
)
from pipelines.broker.budget import SHIPPED, Budget, Budgets
from pipelines.broker.clock import choose_clock
from pipelines.broker.desks import Desks
from pipelines.broker.http import GaveUp, Http, Refused, Replies, Reply
from pipelines.broker.ids import can_be_asked, in_batches
from pipelines.broker.listing import Listing, ListingRequest
from pipelines.broker.read import (
    Batch,
    ClockReading,
    Finding,
    Keep,
    KeepColumns,
    OnReply,
    Read,
    ReceivedReply,
    Rows,
    merge,
)
from pipelines.errors import ConfigurationError, DaybookError
from pipelines.settings import Settings

__all__ = ["BrokerClient", "ClockReading", "Finding", "Read", "ReceivedReply"]

logger = logging.getLogger("daybook.reading")

CLOCK_PATH = "/v1/clock"
PAGE_SIZE = "1000"
#: How many contracts one request may name.
CONTRACTS_AT_ONCE = 100
#: How many instruments one request for market snapshots may name.
SNAPSHOTS_AT_ONCE = 100
#: How many instruments one request for events may name, so that its address stays short.
EVENTS_AT_ONCE = 50
EVENTS_ONE_BY_ONE = 100


#: What a broker says that doesn't have an endpoint, or doesn't give it to this key.
NOT_OFFERED = (400, 403, 404, 405, 422)


def _rows_themselves(_shape: Shape, rows: Rows) -> Rows:
    return rows


class BrokerClient(Generic[Batch]):
    """Reads from one broker with one key; safe to share between threads; a context manager.

    `keep` gets the rows of each page once they are validated (again from the first page where a listing is read
    again), `keep_columns`, where there is one, a page of positions as columns instead where nothing about it is worth
    a word; `archive` gets every reply as received. `budget` is how many seconds a page may take, retries included.
    `secrets` are further keys that must never come back, `budgets` what a listing, an account and the client as a whole
    may take. `replies` may come from elsewhere than the broker at `base_url`.
    Every method returns a `Read`, which never hides a failure and never raises one, but for two: Unauthorized
    (401, at once), and whatever `keep` or `archive` raise. Raises ConfigurationError for an address or a key that
    can't be used.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        keep: Keep[Batch] = _rows_themselves,  # type: ignore[assignment]  # what Batch is where nothing else is said
        keep_columns: KeepColumns[Batch] | None = None,
        archive: OnReply | None = None,
        requests_per_second: float | None = None,
        budget: float = 60.0,
        secrets: Sequence[str] = (),
        budgets: Budgets = SHIPPED,
        replies: Replies | None = None,
    ) -> None:
        self._http = replies or Http(
            base_url, api_key, secrets=secrets, requests_per_second=requests_per_second, budget=budget
        )
        self._budget = budgets.begin()
        self._keep = keep
        self._keep_columns = keep_columns
        self._archive = archive
        self._skew = timedelta()

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        keep: Keep[Batch] = _rows_themselves,  # type: ignore[assignment]  # what Batch is where nothing else is said
        keep_columns: KeepColumns[Batch] | None = None,
        archive: OnReply | None = None,
        budgets: Budgets = SHIPPED,
    ) -> BrokerClient[Batch]:
        """The client that settings describe. Raises ConfigurationError also where the key is missing."""
        settings.reading_key()
        return cls(
            "", None, keep=keep, keep_columns=keep_columns, archive=archive, budgets=budgets, replies=_replies(settings)
        )

    def __enter__(self) -> BrokerClient[Batch]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def clock(self) -> ClockReading:
        """The broker's time: what it says, else the Date of its answer, else this machine's; of those the first that
        can be the time of a trading day. Raises Unauthorized."""
        last: list[Reply] = []
        told: datetime | None = None
        try:
            told = self._http.fetch(CLOCK_PATH, {}, _told_time, lambda reply: self._hear_clock(reply, last))
        except (Refused, GaveUp):
            pass
        except (DaybookError, OSError):  # a wrong key, or an archive that can't be written
            raise
        except Exception:  # as in any other read: no answer ends the evening
            logger.debug("the broker's clock could not be read", exc_info=True)
        dated = next((reply.date for reply in reversed(last) if reply.date), None)
        reading = choose_clock(told, dated, datetime.now(UTC), is_replayed=self._http.is_local)
        self._skew = reading.skew
        return reading

    def assume(self, reading: ClockReading) -> ClockReading:
        """Use a reading of the clock that was taken before, instead of asking again."""
        self._skew = reading.skew
        return reading

    def accounts(self) -> Read[Batch]:
        """Every account that the key sees; of several keys, what all of them see."""
        request = ListingRequest(ACCOUNTS, "/v1/accounts", "the list of accounts", {"page_size": PAGE_SIZE})
        reads: list[Read[Batch]] = []
        for http in self._http.lists():
            reads.append(self._read(request, http=http, passes=reads[-1].reads if reads else 0))
        return reads[0] if len(reads) == 1 else merge(ACCOUNTS.name, reads)

    def positions(self, account_id: str) -> Read[Batch]:
        """Every position of an account, proven whole, and where it has pages, unmoved between two reads."""
        params = {"page_size": PAGE_SIZE, "sort_by": "SYMBOL", "sort_direction": "ASC"}
        return self._of_account(POSITIONS, account_id, "positions", params, stable=True)

    def instructions(self, account_id: str) -> Read[Batch]:
        """The position instructions that the broker lists for an account."""
        return self._of_account(INSTRUCTIONS, account_id, "positions/instructions")

    def executions(self, account_id: str, since: datetime, until: datetime) -> Read[Batch]:
        """The fills of an account between two instants, both included."""
        return self._of_account(EXECUTIONS, account_id, "executions", _window(since, until))

    def orders(self, account_id: str, since: datetime, until: datetime) -> Read[Batch]:
        """The orders of an account between two instants."""
        return self._of_account(ORDERS, account_id, "orders", _window(since, until))

    def balances(self, account_id: str) -> Read[Batch]:
        """The money of an account, now: one row."""
        return self._of_account(BALANCES, account_id, "balances")

    def portfolio_history(self, account_id: str, start: date, end: date) -> Read[Batch]:
        """The broker's own P&L of an account, a row per trading day from `start` to `end`."""
        return self._of_account(PORTFOLIO_HISTORY, account_id, "portfolio-history", _days(start, end))

    def past_history(self, account_id: str, start: date, end: date) -> Read[Batch]:
        """The same of years past, within the budget that there is for those."""
        request = self._of(PORTFOLIO_HISTORY, account_id, "portfolio-history", _days(start, end))
        return self._read(request, budget=self._budget.of_history())

    def option_contracts(self, ids: Sequence[str]) -> Read[Batch]:
        """The contracts with these instrument ids. One that the broker doesn't know is a finding."""
        wanted = list(dict.fromkeys(ids))
        found: set[str] = set()
        reads = []
        for some in in_batches(wanted, CONTRACTS_AT_ONCE):
            params = {"contract_ids": ",".join(some), "page_size": PAGE_SIZE}
            request = ListingRequest(OPTION_CONTRACTS, "/v1/instruments/options/contracts", "option contracts", params)
            reads.append(self._read(request, _noting_ids(self._keep, found)))
        read = merge(OPTION_CONTRACTS.name, reads)
        if read.complete:
            message = "the broker does not list this option contract"
            absent = (each for each in wanted if each not in found and can_be_asked(each))
            read.findings += [Finding("contract_not_listed", "WARN", message, contract_id) for contract_id in absent]
        return _with_unasked(read, wanted)

    def instrument_events(self, instrument_id: str, from_date: date, to_date: date) -> Read[Batch]:
        """The corporate events of an instrument: splits, dividends, earnings, IPOs."""
        path = f"/v1/instruments/{quote(instrument_id, safe='')}/events"
        params = {"from_date": from_date.isoformat(), "to_date": to_date.isoformat()}
        return self._read(ListingRequest(INSTRUMENT_EVENTS, path, f"corporate events of {instrument_id}", params))

    def events(self, instrument_ids: Sequence[str], from_date: date, to_date: date) -> Read[Batch]:
        """The splits and dividends of these instruments, many in one request. Where the broker doesn't offer that, a
        few are asked about one by one; of many the first refusal stands for all."""
        wanted = list(dict.fromkeys(instrument_ids))
        reads: list[Read[Batch]] = []
        for some in in_batches(wanted, EVENTS_AT_ONCE):
            params = {
                "event_types": "DIVIDEND,STOCK_SPLIT",
                "instrument_ids": ",".join(some),
                "from_date": from_date.isoformat(),
                "to_date": to_date.isoformat(),
                "page_size": PAGE_SIZE,
            }
            read = self._read(ListingRequest(EVENTS_BY_DATE, "/v1/instruments/events", "corporate events", params))
            if read.http_status in NOT_OFFERED and not reads and len(wanted) <= EVENTS_ONE_BY_ONE:
                reads = [self.instrument_events(one, from_date, to_date) for one in wanted if can_be_asked(one)]
                break
            reads.append(read)
            if not read.complete:
                break  # it is evidence: not worth waiting for the same failure of every batch
        return _with_unasked(merge(EVENTS_BY_DATE.name, reads), wanted)

    def market_hours(self, date: date, market: str) -> Read[Batch]:
        """The trading hours of a market (us_equities, us_options) on a day."""
        params = {"date": date.isoformat(), "market": market}
        what = f"market hours of {market} on {date.isoformat()}"
        return self._read(ListingRequest(MARKET_HOURS, "/v1/calendars/market-hours", what, params))

    def market_snapshots(self, instrument_ids: Sequence[str]) -> Read[Batch]:
        """What these instruments trade at now: last trade, quote, close of the session before, Greeks."""
        wanted = list(dict.fromkeys(instrument_ids))
        reads: list[Read[Batch]] = []
        for some in in_batches(wanted, SNAPSHOTS_AT_ONCE):
            params = {"instrument_ids": ",".join(some)}
            reads.append(
                self._read(ListingRequest(MARKET_SNAPSHOT, "/v1/market-data/snapshot", "market snapshots", params))
            )
            if not reads[-1].complete:
                break  # it is evidence: not worth waiting for the same failure of every batch
        return _with_unasked(merge(MARKET_SNAPSHOT.name, reads), wanted)

    def _of_account(
        self,
        shape: Shape,
        account_id: str,
        endpoint: str,
        params: dict[str, str] | None = None,
        *,
        stable: bool = False,
    ) -> Read[Batch]:
        return self._read(self._of(shape, account_id, endpoint, params or {}, stable=stable))

    def _of(
        self, shape: Shape, account_id: str, endpoint: str, params: dict[str, str], *, stable: bool = False
    ) -> ListingRequest:
        if not re.fullmatch(ACCOUNT_ID, account_id):
            raise ConfigurationError(f"{account_id!r} is not an account id")
        path = f"/v1/accounts/{account_id}/{endpoint}"
        what = f"{shape.name.replace('_', ' ')} of account {account_id}"
        return ListingRequest(shape, path, what, params, account_id, stable)

    def _read(
        self,
        request: ListingRequest,
        keep: Keep[Batch] | None = None,
        budget: Budget | None = None,
        http: Replies | None = None,
        passes: int = 0,
    ) -> Read[Batch]:
        http = http or self._http
        if not http.answers(request.path):
            return Read(request.shape.name, request.account_id)
        now = http.clock(request.path) or self._broker_now
        budget = budget or self._budget.of(request.account_id)
        keep = keep or self._keep
        return Listing(http, request, keep, self._archive, now, self._keep_columns, budget, passes).read()

    def _broker_now(self) -> datetime:
        return datetime.now(UTC) + self._skew

    def _hear_clock(self, reply: Reply, last: list[Reply]) -> None:
        last.append(reply)
        if self._archive is not None:
            now = datetime.now(UTC)
            self._archive(
                ReceivedReply(
                    CLOCK.name,
                    "",
                    1,
                    1,
                    reply.status,
                    reply.body,
                    reply.request_id,
                    now,
                    path=CLOCK_PATH,
                    repeated_key=reply.repeated_key,
                )
            )


def _replies(settings: Settings) -> Replies:
    """A connection with the key of the settings, or one for each desk's."""

    def http(key: str | None) -> Http:
        return Http(
            settings.base_url,
            key,
            secrets=settings.keys,
            requests_per_second=settings.requests_per_second,
            lake=settings.lake,
        )

    if not settings.desk_keys:
        return http(settings.reading_key())
    own = http(settings.api_key.get_secret_value()) if settings.api_key else None
    return Desks(own, [(desk, http(desk.key.get_secret_value())) for desk in settings.desk_keys])


def _told_time(reply: Reply) -> datetime | None:
    page = read_page(CLOCK, reply.body)
    return parse_instant(page.rows[0]["clock"]).astimezone(UTC) if page.rows and not page.failure else None


def _with_unasked(read: Read[Batch], wanted: Sequence[str]) -> Read[Batch]:
    """A read with a finding for the ids that no request could name."""
    message = "the broker can't be asked about this instrument: no address can have its id"
    unasked = (each for each in wanted if not can_be_asked(each))
    read.findings += [Finding("instrument_not_asked", "WARN", message, each) for each in unasked]
    return read


def _window(since: datetime, until: datetime) -> dict[str, str]:
    return {"from": _rfc3339(since), "to": _rfc3339(until), "page_size": PAGE_SIZE}


def _days(start: date, end: date) -> dict[str, str]:
    return {"start_date": start.isoformat(), "end_date": end.isoformat()}


def _rfc3339(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("a window needs instants with a time zone")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _noting_ids(keep: Keep[Batch], found: set[str]) -> Keep[Batch]:
    def noting(shape: Shape, rows: Rows) -> Batch:
        found.update(row["id"] for row in rows)
        return keep(shape, rows)

    return noting
