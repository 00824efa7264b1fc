"""The section of docs/performance.md about landing."""

from __future__ import annotations

from bench.case import Result
from bench.report import prose, table

NAMES = {"singer": "Singer tap, target-duckdb", "airbyte": "PyAirbyte"}
HEADS = ["", "rows/s", "wall s", "CPU s", "peak MB", "wall / daybook", "CPU / daybook", "runs"]
#: What is fair and unfair about it.
OURS = (
    "*daybook* validates every row, proves every listing whole, reads it a second time, archives every page, writes a "
    "manifest, lands exact decimals, and can be killed at any moment. It also reads what others don't: instructions, "
    "executions, orders, balances, history, market hours and events. *One read* is the same without the second look at "
    "the positions; only the bench can ask for it."
)
THEIRS = (
    "*rest_api_source* is dlt's own generic source; *tuned* puts uncompressed parquet files between its steps, "
    "*parallelized* also reads several accounts at once. Targets are held against *tuned*, without threads. "
    "*floor* is httpx, orjson and Arrow into DuckDB in one transaction, without dlt, validation, archive or "
    "manifest; *threads* has one for each account. dlt's source and the peers land numbers as text, as they were sent; "
    "the floor and daybook land decimals."
)


def text(result: Result) -> str:
    """The section of docs/performance.md."""
    return "\n".join(
        [
            "## Landing",
            "",
            *prose(
                f"{result['accounts']} accounts with {result['positions']:,} positions each, from a broker on loopback "
                "whose pages of 1,000 rows were ready before the first request. Everyone has landed the day before and "
                "now lands the next; each run is a fresh process, imports included. Figures are medians of interleaved "
                "runs; those that take a minute ran once, into nothing. The rows of every run were counted, and the "
                "sum of their market value compared to the cent."
            ),
            "",
            *_table(result, "0 ms"),
            "",
            "The same where every answer takes 20 ms:",
            "",
            *_table(result, "20 ms"),
            "",
            *prose(_first(result)),
            "",
            *prose(OURS),
            "",
            *prose(THEIRS),
            "",
            *prose(_peers(result)),
        ]
    )


def _table(result: Result, latency: str) -> list[str]:
    of, runs = result["medians"][latency], result["runs"][latency]
    ours, rows = of["daybook"], result["accounts"] * result["positions"]
    return table(
        HEADS,
        [
            [
                NAMES.get(name, name),
                f"{rows / each['wall']:,.0f}",
                f"{each['wall']:.2f}",
                f"{each['cpu']:.2f}",
                f"{each['peak_mb']:,.0f}",
                f"{each['wall'] / ours['wall']:.2f}",
                f"{each['cpu'] / ours['cpu']:.2f}",
                str(len(runs[name])),
            ]
            for name, each in of.items()
        ],
    )


def _first(result: Result) -> str:
    told = "; ".join(f"{NAMES.get(name, name)} {run['wall']:.1f} s" for name, run in result["first"].items())
    return (
        f"The first evening, into nothing, without latency, one run each: {told}. daybook's also asks for every option "
        "contract, once and for all."
    )


def _peers(result: Result) -> str:
    told = "; ".join(f"{NAMES[peer]}: {found or 'not installed'}" for peer, found in result["peers"].items())
    return (
        f"Peers, each in an environment of its own: {told}. Their memory is that of the larger of their processes. "
        "PyAirbyte reads a declarative source, in its own process. Not measured: ingestr and sling, whose Python "
        "packages fetch a program when they first run (sling fetches DuckDB's too, and extensions of it)."
    )
