"""What `make test` prints at its end: how much of every package the tests ran, in lines and in branches."""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from coverage import Coverage

ROOT = Path(__file__).parents[2]
#: What is below it is named once more.
WANTED = 90.0
COUNTS = ("num_statements", "covered_lines", "num_branches", "covered_branches")


def counted(measured: Coverage) -> dict[str, Counter[str]]:
    """Lines and branches, and how many of them ran, by package."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        measured.json_report(outfile=str(report))
        files = json.loads(report.read_text())["files"]
    packages: dict[str, Counter[str]] = {}
    for name, each in sorted(files.items()):
        if each["summary"]["num_statements"]:
            counts = packages.setdefault(Path(name).parent.as_posix(), Counter())
            counts.update({kind: each["summary"][kind] for kind in COUNTS})
    return packages


def shares(counts: Counter[str]) -> tuple[float, float]:
    """The percentage of lines and that of branches that ran; of nothing, all."""
    lines, branches = counts["num_statements"], counts["num_branches"]
    ran, taken = counts["covered_lines"], counts["covered_branches"]
    return (100 * ran / lines if lines else 100.0), (100 * taken / branches if branches else 100.0)


def summary(packages: dict[str, Counter[str]]) -> list[str]:
    """A line for each package, one for all of them, and which are below what is wanted."""
    total: Counter[str] = sum(packages.values(), Counter())
    found = {name: shares(counts) for name, counts in packages.items()} | {"all": shares(total)}
    below = [name for name, (lines, branches) in found.items() if min(lines, branches) < WANTED]
    return [
        "  lines  branches  of",
        *(f"{lines:6.1f} %  {branches:6.1f} %  {name}" for name, (lines, branches) in found.items()),
        f"below {WANTED:g} %: {', '.join(below) or 'none'}",
    ]


def main() -> int:
    """Print it, from the data that the tests left; 0 also where there is none."""
    measured = Coverage(config_file=str(ROOT / "pyproject.toml"))
    measured.combine()
    packages = counted(measured)
    print("\n".join(summary(packages)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
