"""F25: no bytes, heads or values of any answer end a read, a landing or a build, or the process that reads.

Every case is an account of its own, answered in its own way over HTTP; a thousand of them are an evening, which is
landed and built. CI tries a share of the cases; `make soak` tries 100,000. A process that an answer ends takes its test
with it, and pytest-xdist tells which one.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.catalog import CATALOG
from pipelines.archive.write import Archive
from pipelines.books.build import build
from pipelines.broker.client import BrokerClient
from pipelines.broker.columns import as_they_are, to_batch
from pipelines.broker.read import ClockReading, Read
from pipelines.calendar import Assignment, TradingCalendar
from pipelines.ingest.landing import land
from pipelines.ingest.reading import DayRead, EndpointRead
from pipelines.ingest.reading import _broker_hours as said_of
from pipelines.ingest.run_context import Ending, run_context
from pipelines.ingest.snapshot import Run, tables_of
from pipelines.ingest.warehouse_state import WarehouseState
from pipelines.settings import Settings
from pipelines.warehouse.dlt_pipeline import open_pipeline
from pipelines.warehouse.session import warehouse_session
from tests.support.answers import PIECES, VALUES, put, swapped
from tests.support.broker_server import BrokerServer, Fault, account, position
from tests.support.desk import fill

#: How many cases in all. The share of CI is fixed; `make soak` sets another number.
CASES = int(os.environ.get("DAYBOOK_FUZZ_CASES", "1000"))
SHARDS = max(CASES // 5000, 1)
AN_EVENING = 1000
NOW = datetime(2025, 10, 31, 20, 30, tzinfo=UTC)
FIRST, LAST = date(2025, 10, 20), date(2025, 10, 31)


def documented(which: int) -> dict[str, Any]:
    """A broker's data about one account, endpoint by endpoint."""
    leg = {"id": "o1", "account_id": which, "symbol": "A", "status": "FILLED", "details": ["a"], "limit_price": "1.00"}
    ordered = leg | {"order_type": "LIMIT", "side": "BUY", "quantity": "1", "created_at": "2025-10-31T15:00:00Z"}
    instruction = {
        "id": "n1", "account_id": which, "instruction_type": "EXERCISE", "instrument_id": "i", "quantity": "1",
        "status": "ACCEPTED", "created_at": "2025-10-31T15:00:00Z", "rejection": {"reason": "x", "metadata": {}},
    }  # fmt: skip
    hours = {"open": "2025-10-31T09:30:00-04:00", "close": "2025-10-31T16:00:00-04:00"}
    dividend = {"ex_date": "2025-10-30", "adjusted_dividend_amount": "0.26", "dividend_amount": "0.26"}
    happened = {"instrument_id": "i", "type": "DIVIDEND", "dividend_event_data": dividend}
    return {
        "positions": [position(which, 0), position(which, 1, instrument_type="OPTION", undocumented={"a": [1, "b"]})],
        "instructions": [instruction],
        "executions": [fill(1, "BUY", "1", "1.00", "2025-10-31T15:00:00Z", account=which)],
        "orders": [ordered],
        "balances": {"account_id": which, "currency": "USD", "equity": "1.00", "sod": {"equity": "1", "asof": "x"}},
        "portfolio-history": {"segments": [{"account_id": which, "date": "2025-10-30", "net_pnl": "1.00"}]},
        "contracts": [{"id": f"c{which}", "multiplier": "100", "expiry": "2025-12-19", "is_tradable": True}],
        "events": {"event_dates": [{"date": "2025-10-30", "events": [happened]}]},
        "market-hours": [
            {
                "market": "us_equities", "date": "2025-10-31", "status": {"day_type": "X"},
                "today_sessions": {"regular": hours},
            }
        ],
        "clock": {"clock": "2025-10-31T20:30:00Z"},
        "accounts": [account(which)],
    }  # fmt: skip


ENDPOINTS = list(documented(1))
MUTATION = st.one_of(
    st.builds(partial, st.just(swapped), at=st.integers(0, 99), value=st.sampled_from(VALUES)),
    st.builds(partial, st.just(put), at=st.integers(0, 199), piece=st.sampled_from(PIECES)),
    st.builds(lambda at: lambda body: body[: at % (len(body) + 1)], st.integers(0, 5000)),
    st.builds(lambda piece: lambda body: piece + body, st.sampled_from(PIECES) | st.binary(max_size=4)),
    st.builds(lambda at, piece: lambda body: body[:at] + piece + body[at + len(piece) :],
              st.integers(0, 1500), st.binary(min_size=1, max_size=4)),
)  # fmt: skip
TEXTS = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=30)
DATES = st.sampled_from(
    ["Fri, 31 Dec 9999 23:59:59 -1400", "Mon, 01 Jan 0001 00:00:00 +1400", "0", "x" * 5000, "-1", ""]
)
HEADS = st.dictionaries(
    st.sampled_from(["Date", "Content-Type", "X-Request-Id", "Retry-After", "Set-Cookie"]), DATES | TEXTS, max_size=2
)
STATUSES = st.sampled_from([200] * 12 + [201, 204, 207, 299, 302, 400, 403, 404, 429, 500, 503, 999])


class Soak:
    """A broker, a client and a home; the reads of its cases, which a thousand at a time become an evening."""

    def __init__(self, home: Path, url: str) -> None:
        self.settings = Settings(base_url=url, home=home)
        self.numbers = itertools.count(100001)
        self.evenings = 0
        self._begin()

    def _begin(self) -> None:
        self.began = run_context(self.settings, "manual", ClockReading(NOW, "API", timedelta()), WarehouseState())
        self.reads: list[EndpointRead] = []
        self.archive = Archive()
        self.archive.begin(self.settings.archive / self.began.run_id, self.began.as_json())
        self.client = BrokerClient(
            self.settings.base_url, None, keep=to_batch, keep_columns=as_they_are, archive=self.archive,
            budget=0.01,
        )  # fmt: skip

    def take(self, which: int, read: Read[pa.Table]) -> None:
        """What every read has to be, whatever was answered."""
        assert read.complete == (read.error is None)
        assert not [each for each in read.findings if each.check_name == "could_not_be_read"], read.findings
        if read.complete:
            assert read.rows == sum(batch.num_rows for batch in read.batches)
            assert not [each for each in read.findings if each.severity == "FAIL"]
        read.account_id = str(which)
        self.reads.append(EndpointRead(read))
        if len(self.reads) >= AN_EVENING:
            self.land()

    def land(self) -> None:
        """Land the evening and build it: what was read fits its tables, and all that are made of them."""
        self.client.close()
        ended = Ending(ClockReading(NOW, "API", timedelta()), LAST)
        self.archive.close(ended.as_json())
        made = Run(self.began, ended, self.archive.files)
        reads = {asked.read.account_id: asked.read for asked in self.reads}
        day = DayRead(Assignment(LAST, "POST_CLOSE"), list(reads), self.reads)
        whole = sum(read.rows for read in reads.values() if read.endpoint == "positions" and read.complete)
        with self.archive, warehouse_session(self.settings) as con:
            land(open_pipeline(con, self.settings.dlt), tables_of(made, day))
            build(con, self.settings, CATALOG)
            run = self.began.run_id
            query = "select count(*) from raw.extract_manifest where run_id = ?"
            assert con.execute(query, [run]).fetchall() == [(len(reads),)]
            query = """select count(*) from raw.positions as row
                inner join raw.extract_manifest as read on read.run_id = row.run_id and read.account_id = row.account_id
                    and read.endpoint = 'positions' and read.complete where row.run_id = ?"""
            assert con.execute(query, [run]).fetchall() == [(whole,)]
            for name in ("quality.finding", "quality.drift", "quality.gap", "raw.quarantine"):
                con.execute(f"from {name}").fetchall()
        self.evenings += 1
        self._begin()


def ask(client: BrokerClient[pa.Table], endpoint: str, which: int) -> Read[pa.Table]:
    """One endpoint as the evening asks it."""
    one = str(which)
    asked = {
        "positions": lambda: client.positions(one),
        "instructions": lambda: client.instructions(one),
        "executions": lambda: client.executions(one, NOW, NOW),
        "orders": lambda: client.orders(one, NOW, NOW),
        "balances": lambda: client.balances(one),
        "portfolio-history": lambda: client.portfolio_history(one, FIRST, LAST),
        "contracts": lambda: client.option_contracts([f"c{which}"]),
        "events": lambda: client.events(["i"], FIRST, LAST),
        "market-hours": lambda: client.market_hours(LAST, "us_equities"),
        "accounts": client.accounts,
    }
    return asked[endpoint]()


@pytest.fixture
def soak(tmp_path: Path) -> Iterator[tuple[BrokerServer, Soak]]:
    with BrokerServer(now=NOW) as server:
        made = Soak(tmp_path / "home", server.url)
        yield server, made
        made.client.close()


@pytest.mark.heavy
@pytest.mark.timeout(0 if SHARDS > 1 else 300)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_bytes_heads_or_values_end_a_read_a_landing_or_a_build(shard: int, soak: tuple[BrokerServer, Soak]) -> None:
    server, made = soak

    @settings(max_examples=CASES // SHARDS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        endpoint=st.sampled_from(ENDPOINTS),
        mutations=st.lists(MUTATION, min_size=1, max_size=3),
        status=STATUSES,
        heads=HEADS,
    )
    def case(endpoint: str, mutations: list[Any], status: int, heads: dict[str, str]) -> None:
        which = next(made.numbers)
        data = documented(which)[endpoint]
        metadata = {"request_id": "r", "page_number": 1, "total_pages": 1, "next_page_token": None}
        body = orjson.dumps({"data": data, "error": None, "metadata": metadata | {"total_items": len(data)}})
        for mutate in mutations:
            body = mutate(body)
        server.faults = [Fault(endpoint, times=None, status=status, body=body, headers=heads)]
        server.requests.clear()
        if endpoint == "clock":
            TradingCalendar.load().assign(made.client.clock().now)
            return
        read = ask(made.client, endpoint, which)
        if endpoint == "market-hours":
            TradingCalendar.load(said_of(read))
        made.take(which, read)

    case()
    made.land()
    assert made.evenings >= max(CASES // SHARDS // AN_EVENING // 2, 1)
