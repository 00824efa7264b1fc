"""Where measurements go: bench/results/NAME.json, and the section of docs/performance.md of that name."""

from __future__ import annotations

import json
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "performance.md"
TOP = """# Performance

Measured by `bench/` and written by it: `python -m bench.landing` and `python -m bench.build` in the runtime environment
(`make bench` is a small sample of both). Seconds are of one machine; the ratios are the point.
"""


def machine() -> dict[str, str]:
    """What was measured on, and with which versions."""
    packages = {name: version(name) for name in ("dlt", "duckdb", "pyarrow", "pydantic", "httpx")}
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


def write(name: str, result: dict[str, Any], text: str) -> None:
    """Keep a result, and put its text in the place of the section that it replaces."""
    results = ROOT / "bench" / "results"
    results.mkdir(exist_ok=True)
    (results / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    of = ", ".join(f"{key} {value}" for key, value in result["machine"].items())
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    section = f"{begin}\n{text}\n\nMachine: {of}.\n{end}\n"
    whole = DOCUMENT.read_text() if DOCUMENT.exists() else TOP
    pattern = re.compile(f"{re.escape(begin)}.*{re.escape(end)}\n", re.DOTALL)
    whole = pattern.sub(lambda _: section, whole) if pattern.search(whole) else f"{whole}\n{section}"
    DOCUMENT.write_text(whole)
