"""core.*, pnl.* and quality.*: one build as one multi-asset. A day's books change together or not at all."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg
import duckdb

from assets.catalog import CATALOG
from assets.dictionary import entries
from assets.orchestration.checks import SPECS, check_books
from assets.orchestration.failures import as_dagster_failure
from assets.orchestration.open_books import OpenBooks
from assets.orchestration.partitions import one_run, partition_days, trading_days
from assets.orchestration.recovery import evening_before
from assets.orchestration.specs import WRITER, book_specs
from pipelines.books.build import Built, build
from pipelines.progress import Activity
from pipelines.report.markdown_chart import pnl_chart

#: Views that are computed when asked, and whose rows nobody has to look for.
_COMPUTED = frozenset(table.name for table in CATALOG.of_kind("view") if table.schema != "quality")

_PNL = """
    select daily.account_id, balances.currency, daily.total_pnl, daily.realized_pnl, daily.unrealized_change,
        daily.broker_net, daily.quality
    from pnl.account_daily as daily
    left join core.balance_daily as balances
        on daily.account_id = balances.account_id and daily.trading_date = balances.trading_date
    where daily.trading_date = $1
    order by daily.account_id
"""


@dg.multi_asset(
    name="tables_of_books",
    specs=book_specs(),
    check_specs=SPECS,
    partitions_def=trading_days,
    backfill_policy=one_run(),  # N days are one build, and one transaction
    pool=WRITER,
)
def books(
    context: dg.AssetExecutionContext, books: dg.ResourceParam[OpenBooks]
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """The derived tables: of the days asked for, and of every other day whose inputs changed. No network.

    The checks are of the days asked for; of a day that has not closed yet, of the evening before it if that was missed.
    """
    first, last = partition_days(context)
    with as_dagster_failure():
        built = build(books.con, books.settings, CATALOG, from_date=first, to_date=last)
    books.on_progress(Activity(_summary(built)))
    for spec in book_specs():
        metadata = _counted(books.con, ".".join(spec.key.path), first, last)
        yield dg.MaterializeResult(asset_key=spec.key, metadata=metadata)
    missed = evening_before(books.con, last) if first == last else None
    yield from check_books(books.con, missed.day if missed else first, missed.day if missed else last)


def _summary(built: Built) -> str:
    versions = ", ".join(f"{count} in {table}" for table, count in built.versions.items() if count)
    return f"built; new versions: {versions}" if versions else "built; nothing changed"


def _counted(con: duckdb.DuckDBPyConnection, table: str, first: date, last: date) -> dict[str, Any]:
    """Row counts, of the day where there is but one, and the day's P&L beside the table that holds it.

    Of views those of quality alone are counted, for the day: their rows are what somebody should look at. To count
    another would be to compute it, performance for all days of every account."""
    metadata: dict[str, Any] = {}
    if table in _COMPUTED:
        return metadata
    dated = "trading_date" in (column.name for column in entries()[table].columns)
    if entries()[table].kind == "table":
        whole = con.execute(f"select count(*) from {table}").fetchone()  # noqa: S608  (a name of ours)
        metadata["dagster/row_count"] = whole[0] if whole else 0
    if first != last or not dated:
        return metadata
    of_day = con.execute(f"select count(*) from {table} where trading_date = ?", [first]).fetchone()  # noqa: S608
    metadata["dagster/partition_row_count"] = of_day[0] if of_day else 0
    if table == "pnl.account_daily":
        metadata["P&L of the day"] = dg.MetadataValue.md(_preview(con, first))
        metadata |= _picture(con, first)
    return metadata


def _picture(con: duckdb.DuckDBPyConnection, day: date) -> dict[str, Any]:
    """The P&L so far as a picture. None where it can't be drawn: that must not keep the books from being published."""
    try:
        chart = pnl_chart(con, day)
    except Exception as error:
        return {"P&L so far": f"could not be drawn ({type(error).__name__}: {error})"}
    return {"P&L so far": dg.MetadataValue.md(chart)} if chart else {}


def _preview(con: duckdb.DuckDBPyConnection, day: date) -> str:
    """The day's P&L by account as a table; what isn't known is left blank."""
    lines = [
        "| account | in | P&L before fees | realized | unrealized | P&L after fees | quality |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for account, currency, *money, quality in con.execute(_PNL, [day]).fetchall():
        shown = ["" if amount is None else f"{amount:,.2f}" for amount in money]
        lines.append(f"| {account} | {currency or ''} | {' | '.join(shown)} | {quality} |")
    return "\n".join(lines)
