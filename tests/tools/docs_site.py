"""The pages of the documentation's site, put together from the repository's: `python -m tests.tools.docs_site FOLDER`.

Out: docs/ as it is, README.md as the first page, other pages beside it, and a page for each query of docs/sql. Links
follow their pages; one that leads nowhere is left for the strict build to refuse.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
#: Pages with another name in the site than in docs/, or from outside of it.
RENAMED = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
    "docs/sql/README.md": "sql/index.md",
}
_LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[#)])")
_COMMENT = re.compile(r"^-- ?(.*)$")


def places() -> dict[str, str]:
    """Every file of the site: where it is in the repository, and where in the site."""
    files = sorted(path for path in (ROOT / "docs").rglob("*") if path.is_file())
    inside = {path.relative_to(ROOT).as_posix(): path.relative_to(ROOT / "docs") for path in files}
    return {
        name: (place.with_suffix(".md") if place.suffix == ".sql" else place).as_posix()
        for name, place in inside.items()
    } | RENAMED


def put_together(folder: Path) -> None:
    """Make the pages in a folder, which is emptied before."""
    shutil.rmtree(folder, ignore_errors=True)
    there = places()
    for name, place in there.items():
        source, target = ROOT / name, folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            target.write_text(_relinked(source.read_text(encoding="utf-8"), name, there), encoding="utf-8")
        elif source.suffix == ".sql":
            target.write_text(_query(source.name, source.read_text(encoding="utf-8")), encoding="utf-8")
        else:
            shutil.copyfile(source, target)


def _relinked(text: str, name: str, there: dict[str, str]) -> str:
    """A page with its links to files of the repository as links to the same things in the site."""
    here, page = PurePosixPath(name).parent, PurePosixPath(there[name]).parent

    def link(found: re.Match[str]) -> str:
        target = there.get(os.path.normpath(here / found[1]))
        return found[1] if target is None else os.path.relpath(target, page)

    return _LINK.sub(link, text)


def _query(name: str, text: str) -> str:
    """A page for a query: its first line is the question, the other comments above it say how to read the answer."""
    lines = text.splitlines()
    above = [found[1] for found in map(_COMMENT.match, lines[: _comments(lines)]) if found]
    whose = f"`docs/sql/{name}`, one of the [example queries](index.md):"
    return f"# {above[0]}\n\n{' '.join(above[1:])}\n\n{whose}\n\n```sql\n{text.rstrip()}\n```\n"


def _comments(lines: list[str]) -> int:
    return next(at for at, line in enumerate(lines) if not line.startswith("--"))


if __name__ == "__main__":
    put_together(Path(sys.argv[1]))
