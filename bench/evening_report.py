"""How long the report of a day takes, by the size of the day and by the length of the history behind it.

Every form is written as `daybook report` writes it, from a published copy; HTML alone is timed beside all of them.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from assets.catalog import CATALOG
from bench.case import Case, Figure, Result
from bench.designs import cpu, peak_mb
from bench.history import make_history
from bench.report import prose, table
from pipelines.report.write import FORMATS, write_report

#: Accounts, positions of each, days of history.
Size = tuple[int, int, int]
SIZES: tuple[Size, ...] = ((2, 1_500, 25), (2, 1_500, 250), (1, 3, 25), (20, 10_000, 25))
QUICK: tuple[Size, ...] = ((2, 100, 5), (2, 100, 15))


def measure(folder: Path, quick: bool) -> Result:  # noqa: FBT001
    """Each size in a home of its own. The first two differ in their history alone."""
    sizes = QUICK if quick else SIZES
    reports = [_of_size(folder / f"{number}", size) for number, size in enumerate(sizes)]
    return {"reports": reports, "history": reports[1]["cpu"] / reports[0]["cpu"], "peak_mb": peak_mb()}


def _of_size(home: Path, size: Size) -> dict[str, Any]:
    accounts, positions, days = size
    settings = make_history(home, accounts, positions, days, published=True)
    write_report(settings, CATALOG, formats=("html",))  # what is imported once is not the day's
    began = time.perf_counter()
    write_report(settings, CATALOG, formats=("html",))
    page = time.perf_counter() - began
    began, before = time.perf_counter(), cpu()
    written = write_report(settings, CATALOG, formats=FORMATS)
    took, spent = time.perf_counter() - began, cpu() - before
    held = written.report.sections["positions"].rows
    assert len(held) == accounts * positions, len(held)
    assert len(written.report.days) == days, len(written.report.days)
    shutil.rmtree(home)
    return {"positions": accounts * positions, "days": days, "html": page, "all": took, "cpu": spent}


def text(result: Result) -> str:
    """The section of docs/performance.md."""
    rows = [
        [f"{each['positions']:,}", f"{each['days']}", f"{each['html']:.2f}", f"{each['all']:.2f}", f"{each['cpu']:.2f}"]
        for each in result["reports"]
    ]
    return "\n".join(
        [
            "## Report",
            "",
            *prose(
                "The report of the last day: HTML alone, and all forms with PDF, workbook and extracts. The workbook "
                "and the extracts have every position, so they grow with the day."
            ),
            "",
            *table(["positions", "days of history", "HTML s", "all s", "all, CPU s"], rows),
        ]
    )


def figures(result: Result) -> list[Figure]:
    """It should grow with the day and not with the history."""
    return [
        Figure("report, long history against short", result["history"], 1.3),
        Figure("report, peak memory", result["peak_mb"], noise=1.3, unit="MB"),
    ]


CASE = Case("report", measure, text, figures)
