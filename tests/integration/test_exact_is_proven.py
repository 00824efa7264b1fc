"""EXACT is a proof: whenever rows say it, every outcome that is compatible with the inputs has the same total."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from assets.catalog import CATALOG
from pipelines.books.build import build
from tests.support.evenings import CALENDAR, FRIDAY, STOCK, THURSDAY, answer, evening, fill, held
from tests.support.facts import Book, Contract, Evening, Fill
from tests.support.landing import forget, land, open_raw, settings_of
from tests.support.possible_worlds import Expired, Shown, possible_worlds

pytestmark = pytest.mark.heavy

OPTIONS = tuple(f"b0000000-0000-4000-8000-00000000000{number}" for number in (5, 6))


@dataclass(frozen=True)
class Case:
    """Two evenings, and what they show."""

    evenings: tuple[Evening, ...]
    shown: Shown


@st.composite
def cases(draw: Any) -> Case:
    """A stock and up to two options that expired on Friday: exercised, assigned or worthless in part or whole, beside
    fills that are read, withdrawn, without a price or not read, and shares that nobody tells of."""
    before, after = (Decimal(draw(st.integers(45, 55))) for _ in range(2))
    shares = HUNDREDS * draw(st.integers(-2, 3))
    options = draw(st.lists(_options(before, after), max_size=2, unique_by=lambda option: (option.kind, option.strike)))
    named = [Expired(OPTIONS[n], o.kind, o.strike, o.contracts, o.value_before) for n, o in enumerate(options)]
    fates = [draw(st.integers(0, abs(option.contracts))) for option in named]
    fills = [
        fill(f"f{n}", str(quantity), price, FRIDAY)
        for n, (quantity, price) in enumerate(draw(st.lists(FILLS, max_size=2)))
    ]
    gone = draw(st.booleans()) and bool(fills)
    counted = fills[1:] if gone else fills
    moved = draw(st.sampled_from((0, 0, 0, 30, -100, 100)))
    end = shares + sum(each.quantity for each in counted) + moved
    end += sum(option.shares(count) for option, count in zip(named, fates, strict=True))
    is_read = draw(st.sampled_from((True, True, True, False)))
    shown = Shown(
        shares_before=shares,
        value_before=shares * before,
        shares=end,
        value=end * after,
        spot=after if end else None,
        fills=[(each.quantity, each.price) for each in counted] if is_read else None,
        options=named,
    )
    return Case(_evenings(shown, before, after, fills, counted if gone else None, is_read=is_read), shown)


HUNDREDS = Decimal(100)
FILLS = st.tuples(st.sampled_from((100, -100, 30)), st.sampled_from(("50.5", "49", "50.5", None)))


@st.composite
def _options(draw: Any, before: Decimal, after: Decimal) -> Expired:
    kind, strike = draw(st.sampled_from(("CALL", "PUT"))), after + draw(st.sampled_from((-3, 2)))
    contracts = draw(st.sampled_from((-2, -1, 1, 2)))
    return Expired("", kind, strike, contracts, contracts * (before / 10).quantize(Decimal("0.01")) * 100)


def _evenings(
    shown: Shown, before: Decimal, after: Decimal, fills: list[Fill], left: list[Fill] | None, *, is_read: bool
) -> tuple[Evening, ...]:
    """Thursday, and Friday once, or twice where the second list of fills has one no longer."""
    first = [held(str(shown.shares_before), str(before), str(shown.shares_before * 40), THURSDAY)]
    contracts = []
    for option in shown.options:
        symbol = f"XYZ   251031{option.kind[0]}{int(option.strike * 1000):08}"
        kind = {"instrument_type": "OPTION", "symbol": symbol, "underlying_instrument_id": STOCK, "unit": "100"}
        price = str(option.value_before / option.contracts / 100)
        cost = str(option.contracts * 100)
        first.append(held(str(option.contracts), price, cost, THURSDAY, instrument_id=option.instrument_id, **kind))
        contracts.append(
            Contract(option.instrument_id, symbol, STOCK, option.kind, option.strike, FRIDAY, Decimal(100))
        )
    last = [held(str(shown.shares), str(after), str(shown.shares * 40), FRIDAY)] if shown.shares else []
    rows = [each for each in first if each.quantity]
    asked = {"contracts": tuple(contracts)}
    made = [evening(THURSDAY, answer(rows), **asked)]
    made.append(evening(FRIDAY, answer(last, fills if is_read else None), **asked))
    if left is not None:
        later: datetime = CALENDAR.session(FRIDAY).close + timedelta(hours=2)
        made.append(evening(FRIDAY, answer(last, left if is_read else None), at=later, **asked))
    return tuple(made)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_raw() as opened:
        yield opened


@settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(case=cases())
def test_what_is_exact_has_one_outcome(con: duckdb.DuckDBPyConnection, tmp_path: Path, case: Case) -> None:
    forget(con)
    for each in case.evenings:
        land(con, each)
    build(con, settings_of(Book(case.evenings), tmp_path), CATALOG, built_at=case.evenings[-1].at)
    query = "select instrument_id, total_pnl, quality from pnl.position_daily where trading_date = ?"
    rows = {instrument: (total, quality) for instrument, total, quality in con.execute(query, [FRIDAY]).fetchall()}
    exact = {instrument for instrument, (_, quality) in rows.items() if quality == "EXACT"}
    worlds = possible_worlds(case.shown)
    options = {option.instrument_id: number for number, option in enumerate(case.shown.options)}
    if worlds is None:
        spot = case.shown.spot
        worthless = {o.instrument_id for o in case.shown.options if spot is not None and o.is_worthless(spot)}
        assert exact <= (worthless if case.shown.fills is not None else set()), (rows, case)
        return
    for instrument in exact & options.keys():
        assert len({world.delivered[options[instrument]] for world in worlds}) == 1, (rows, worlds, case)
    if STOCK in exact:
        assert len({world.total for world in worlds}) == 1, (rows, worlds, case)
    if exact == rows.keys():
        assert sum(total for total, _ in rows.values()) == worlds[0].total, (rows, worlds, case)
