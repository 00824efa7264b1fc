"""docs/performance.md: what was measured, on what, and which targets are met. Numbers come from results alone."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from bench.result_files import ROOT, Kept

if TYPE_CHECKING:
    from bench.case import Figure

DOCUMENT = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "performance.svg"
WIDTH = 120
TOP = """
Measured by `make bench`, and written by it: each case builds its own server and data, runs what it compares in turn
and several times, and checks what every run has made. It runs in the runtime environment. Seconds are of one machine;
the ratios, taken within one run, are the point. `python -m bench.compare REVISION` says what got slower since then.
"""


def machine() -> dict[str, str]:
    """What was measured on, and with which versions."""
    packages = {name: version(name) for name in ("dlt", "duckdb", "pyarrow", "pydantic", "httpx", "dagster")}
    return {
        # a machine that does something else as well makes wall seconds mean little; CPU seconds still tell
        "load": f"{os.getloadavg()[1]:.1f}",
        "cpus": str(os.cpu_count()),
        "cpu": _cpu(),
        "memory": _memory(),
        "python": platform.python_version(),
        **packages,
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB"


def table(heads: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a Markdown table; the first column is words, the others are numbers."""
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return [f"| {' | '.join(row)} |" for row in (heads, rule, *rows)]


def prose(text: str) -> list[str]:
    """A paragraph in lines."""
    return wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def amount(figure: Figure, value: float) -> str:
    """A figure's value or target as people read it."""
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:,.{digits}f} {figure.unit}"


def document(kept: Sequence[Kept], sections: Iterable[str]) -> str:
    """The page: every target first, then a section for each case."""
    told = ("\n".join([section, "", *prose(_measured(each))]) for each, section in zip(kept, sections, strict=True))
    return "\n".join(["# Performance", TOP, "## Targets", "", *_targets(kept), "", "\n\n".join(told), ""])


def _measured(kept: Kept) -> str:
    return f"Measured {kept.date}: {', '.join(f'{key} {value}' for key, value in kept.machine.items())}."


def _targets(kept: Iterable[Kept]) -> list[str]:
    rows = [
        [
            f"{each.name}: {figure.name}",
            amount(figure, figure.value),
            f"{'at least' if figure.more_is_better else 'at most'} {amount(figure, figure.target)}",
            "yes" if figure.is_met else "**no**",
        ]
        for each in kept
        for figure in each.figures
        if figure.target is not None
    ]
    return table(["", "measured", "target", "met"], rows)


def write_between(page: Path, by: str, text: str) -> None:
    """Put what `python -m BY` has to say in its place on a page of people's."""
    begin, end = f"<!-- written by python -m {by} -->", "<!-- end of what it wrote -->"
    told = f"{begin}\n{text}\n{end}"
    said, number = re.subn(f"{begin}.*?{end}", lambda _: told, page.read_text(), count=1, flags=re.DOTALL)
    assert number == 1, f"{page} has no place for {by}"
    page.write_text(said)
