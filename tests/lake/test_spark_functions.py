"""What differs between the engines is a function, once for each: both say the same at the edges, to the last digit."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from assets.catalog import CATALOG
from pipelines.settings import Settings
from pipelines.spark.engine import make_functions
from pipelines.spark.session import start_session

pytest.importorskip("pyspark", reason="the extra spark is not installed")
pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="Java is not installed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # sockets of py4j's
]

_DOUBLES = ("0", "0.285", "-2.675", "1.005", "0.5", "-0.5", "0.49999999999999994", "2.5", "99.98", "1234567.8901234567")
_LARGE = (
    "46721954.937831",
    "-46721954.937831",
    "89999999999.12345678",
    "9007199254740993",
    "4503599627370497.5",
    "1e22",
)
_DECIMALS = ("0", "1.000001", "1.0000011", "-0.5", "1234567.00000001", "9999999999999999.99999999")
_SYMBOLS = (
    "'AAPL  251031C00150000'",
    "'XYZ251399P00012500'",
    "'AAPL'",
    "'BRK.B'",
    "'912828ZT0 US'",
    "'x\n'",
    "''",
    "null",
)


def _money(text: str) -> str:
    return f"cast('{text}' as decimal(28, 10))"


EXPRESSIONS = [
    *(f"{f}(cast('{x}' as double))" for f in ("as_quantity", "in_millionths") for x in (*_DOUBLES, *_LARGE)),
    *(f"rounded(cast('{x}' as double), {places})" for x in (*_DOUBLES, *_LARGE) for places in (0, 2, 6)),
    *(f"as_share(cast('{x}' as double))" for x in ("0", "1", "0.333333333333", "0.000390625")),
    *(f"unit_near(cast('{x}' as double))" for x in (*_DOUBLES, "1000000", "0.09999", "1.005")),
    *(f"ratio_to({_money(x)}, {_money(y)})" for x in _DECIMALS for y in ("0", "3", "-7")),
    *(f"daily_return({_money(x)}, 100, {_money(y)})" for x in ("-101", "7") for y in ("-5", "5")),
    *(f"differs({_money(x)}, 1)" for x in _DECIMALS),
    *(f"differs_in_floating_point(cast('{x}' as double), 1)" for x in _DECIMALS),
    *(f"written(cast('{x}' as decimal(28, 8)))" for x in _DECIMALS),
    *(
        f"written_per_cent(cast('{x}' as double))"
        for x in ("0", "12.5", "-3", "12345678.12344", "0.12345", "-99.99996")
    ),
    *(
        f"value_of(cast('{x}' as decimal(24, 8)), cast('{y}' as decimal(24, 8)), cast(100 as decimal(12, 4)))"
        for x in _DECIMALS
        for y in (*_DECIMALS, "0.33333333")
    ),
    *(f"{f}({x})" for f in ("osi_root", "osi_terms", "is_called_like_a_share") for x in _SYMBOLS),
    *(f"{f}(osi_terms({x}))" for f in ("osi_expiry", "osi_right", "osi_strike") for x in _SYMBOLS),
    *(f"quality_of(quality_rank({x}))" for x in ("'EXACT'", "'UNKNOWN'", "'OTHER'", "null")),
    *(f"tolerance({x})" for x in (0, 5, 6, 1000)),
    "is_same_unit(99, 100)",
    "is_same_unit(50, 100)",
    "near_the_strike(cast(12.5 as decimal(24, 8)))",
    "written_day(cast('2025-11-03' as date))",
    "no_flags()",
    "json_text('{\"settlement\": \"CASH\"}', '$.settlement')",
    "json_text('{\"settlement\": null}', '$.settlement')",
    "(select joined(array_agg(distinct word)) from (select 'b' as word union all select 'a' as word) as words)",
    "(select joined(array_agg(word)) from (select 'b' as word where 1 = 0) as words)",
    "(select product_of(array_agg(cast(r as double))) from (select 3 as r union all select 0.1 as r) as ratios)",
    "(select product_of(array_agg(ratio)) from (select cast(3 as double) as ratio where 1 = 0) as t)",
]


def test_functions_say_the_same_at_their_edges_to_the_last_digit(tmp_path: Path) -> None:
    settings = Settings.model_validate({"base_url": "http://127.0.0.1:1", "home": tmp_path, "spark": "local[1]"})
    with duckdb.connect() as con:
        con.execute(CATALOG.functions)
        ours = [con.execute(f"select {each}").fetchone() or () for each in EXPRESSIONS]
    session = start_session(settings, tmp_path, is_small=True)
    try:
        make_functions(session, CATALOG)
        said = ", ".join(f"{each} as c{number}" for number, each in enumerate(EXPRESSIONS))
        (theirs,) = session.sql(f"select {said}").collect()
    finally:
        session.stop()
    differing = {
        each: (our, their) for each, (our,), their in zip(EXPRESSIONS, ours, theirs, strict=True) if our != their
    }
    assert differing == {}
