"""The table of settings in README.md and docs/operators.md: `python -m daybook.settings_page` writes it from them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from pipelines.settings import VARIABLES, Settings

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "operators.md")
_DESCRIPTIONS = Path(__file__).with_name("settings.toml")
_BEGIN, _END = "<!-- written by python -m daybook.settings_page -->", "<!-- end of the settings -->"


def table() -> str:
    """The table as Markdown: a row for each variable that daybook reads. KeyError for one that nobody described."""
    descriptions = tomllib.loads(_DESCRIPTIONS.read_text(encoding="utf-8"))
    if missing := VARIABLES.keys() ^ descriptions.keys():
        raise KeyError(f"{_DESCRIPTIONS} and pipelines/settings.py differ in {', '.join(sorted(missing))}")
    rows = [
        f"| `{name}` | {about['meaning']} | {about.get('default') or _default(VARIABLES[name])} |"
        for name, about in descriptions.items()
    ]
    return "\n".join(["| variable | meaning | default |", "|---|---|---|", *rows])


def written(page: str) -> str:
    """A page with the table of today between its two marks."""
    return re.sub(f"{_BEGIN}.*{_END}", lambda _: f"{_BEGIN}\n{table()}\n{_END}", page, flags=re.DOTALL)


def _default(field: str) -> str:
    value = Settings.model_fields[field].default
    return "none" if value is None or value == () else f"`{value}`"


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")
