"""How long the report of a day takes, by the size of the day and by the length of the history behind it.

Every form is written as `daybook report` writes it, from a published copy; HTML alone is timed beside all of them, each
in a process of its own (`python -m bench.evening_report HOME FORMS`), whose memory is that of the report alone.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from assets.catalog import CATALOG
from bench.case import Case, Figure, Result
from bench.designs import cpu, peak_mb
from bench.history import home, make_history
from bench.report import prose, table
from bench.turns import run_timed
from pipelines.report.write import FORMATS, write_report

#: Accounts, positions of each, days of history.
Size = tuple[int, int, int]
SIZES: tuple[Size, ...] = ((2, 1_500, 25), (2, 1_500, 250), (1, 3, 25), (20, 10_000, 25))
QUICK: tuple[Size, ...] = ((2, 100, 5), (2, 100, 15))
#: Of so many positions it is said how long a report may take.
LARGE = 200_000


def measure(folder: Path, quick: bool) -> Result:  # noqa: FBT001
    """Each size in a home of its own. The first two differ in their history alone."""
    sizes = QUICK if quick else SIZES
    reports = [_of_size(folder / f"{number}", size) for number, size in enumerate(sizes)]
    return {"reports": reports, "history": reports[1]["cpu"] / reports[0]["cpu"]}


def _of_size(folder: Path, size: Size) -> dict[str, Any]:
    accounts, positions, days = size
    make_history(folder, accounts, positions, days, published=True)
    page, whole = _written(folder, ("html",)), _written(folder, FORMATS)
    assert (whole["held"], whole["days"]) == (accounts * positions, days), whole
    shutil.rmtree(folder)
    return {
        "positions": accounts * positions,
        "days": days,
        "html": page["wall"],
        "html_cpu": page["cpu"],
        "all": whole["wall"],
        "cpu": whole["cpu"],
        "peak_mb": whole["peak_mb"],
    }


def _written(folder: Path, forms: tuple[str, ...]) -> dict[str, float]:
    _, said = run_timed([sys.executable, "-m", "bench.evening_report", str(folder), ",".join(forms)])
    told: dict[str, float] = json.loads(said)
    return told


def main() -> None:
    """Write the report of a home in the forms, and say what that took; the start of Python is not the report's."""
    folder, forms = sys.argv[1:]
    began, before = time.perf_counter(), cpu()
    written = write_report(home(Path(folder)), CATALOG, formats=forms.split(","))
    told = {
        "wall": time.perf_counter() - began,
        "cpu": cpu() - before,
        "peak_mb": peak_mb(),
        "held": len(written.report.sections["positions"].rows),
        "days": len(written.report.days),
    }
    print(json.dumps(told), flush=True)


def text(result: Result) -> str:
    """The section of docs/performance.md."""
    rows = [
        [
            f"{each['positions']:,}",
            f"{each['days']}",
            *(_told(each, name, ",.2f") for name in ("html", "html_cpu", "all", "cpu")),
            _told(each, "peak_mb", ",.0f"),
        ]
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
            *table(["positions", "days of history", "HTML s", "CPU s", "all s", "CPU s", "peak MB"], rows),
        ]
    )


def _told(each: dict[str, Any], name: str, how: str) -> str:
    """A figure; nothing of one that an earlier result does not have."""
    return format(each[name], how) if name in each else ""


def figures(result: Result) -> list[Figure]:
    """It should grow with the day and not with the history; seconds are those that people wait."""
    found = [Figure("report, long history against short", result["history"], 1.3)]
    for each in result["reports"]:
        if each["positions"] == LARGE:
            found += [
                Figure("report of 200,000 positions, all forms", each["all"], 12, noise=1.3, unit="s"),
                Figure("report of 200,000 positions, HTML alone", each["html"], 3, noise=1.3, unit="s"),
                Figure("report of 200,000 positions, peak memory", each["peak_mb"], 1_000, noise=1.3, unit="MB"),
            ]
    return found


CASE = Case("report", measure, text, figures)

if __name__ == "__main__":
    main()
