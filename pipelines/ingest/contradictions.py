"""Options whose own row contradicts the multiplier that their contract had: an adjusted contract keeps its id, and has
to be read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

COLUMNS = ["instrument_id", "instrument_type", "quantity", "avg_price", "cost_basis"]
COLUMNS += ["market_value", "closing_price", "instrument_price"]
#: Averages are rounded by the broker: half a cent a share.
ROUNDING = 0.005
#: A value follows bids and trades that neither price shows: so far apart is no contradiction yet.
OTHER_PRICE = 0.05


def contradicted(pages: Sequence[pa.Table], multipliers: Mapping[str, float | None]) -> set[str]:
    """The options of an account's pages whose cost / (quantity x average price) or value / (quantity x price) is
    another multiplier than the known one."""
    positions = pa.concat_tables([page.select(COLUMNS) for page in pages])
    options = positions.filter(pc.equal(positions["instrument_type"], "OPTION"))
    ids = options["instrument_id"].to_pylist()
    stated = pa.chunked_array([pa.array(map(multipliers.get, ids), pa.float64())])
    shares = _size(options, "quantity")
    units = pc.multiply(shares, stated)
    paid = pc.abs(pc.subtract(_size(options, "cost_basis"), pc.multiply(units, _size(options, "avg_price"))))
    by_cost = pc.greater(paid, pc.max_element_wise(pc.multiply(units, ROUNDING), 0.01))
    far = [_is_far(options, units, price) for price in ("closing_price", "instrument_price")]
    by_value = pc.and_(*(pc.fill_null(each, pc.is_valid(other)) for each, other in zip(far, far[::-1], strict=True)))
    off = pc.or_(pc.fill_null(by_cost, fill_value=False), by_value)
    return {each for each, is_off in zip(ids, off.to_pylist(), strict=True) if is_off}


def _size(rows: pa.Table, name: str) -> pa.ChunkedArray:
    return pc.abs(pc.cast(rows[name], pa.float64()))


def _is_far(rows: pa.Table, units: pa.ChunkedArray, price: str) -> pa.ChunkedArray:
    """Whether the value is far from what the units are worth at a price; null where one of them is not known."""
    worth = pc.multiply(units, _size(rows, price))
    return pc.greater(pc.abs(pc.subtract(_size(rows, "market_value"), worth)), pc.multiply(worth, OTHER_PRICE))
