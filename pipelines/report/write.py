"""A report on the disk: whole files under names that are made of dates alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import duckdb

from pipelines.archive.files import make_folder, share, write_whole
from pipelines.books.as_known import open_known
from pipelines.books.catalog import Catalog
from pipelines.errors import DaybookError
from pipelines.progress import Activity, OnProgress, ignore_progress
from pipelines.report.content import Report, collect_report
from pipelines.settings import Settings
from pipelines.warehouse.limits import REPORT_THREAD

FORMATS = ("html", "pdf", "xlsx", "csv")
#: How many of them are made at once: most of their time is spent in libraries that let another thread work.
AT_ONCE = 2
#: The folder of what was reported first of a day that was reported again.
FIRST = "first"


@dataclass(frozen=True)
class Written:
    """A report and where its files are; the first is the one to open."""

    report: Report
    files: tuple[Path, ...]


def write_report(
    settings: Settings,
    catalog: Catalog,
    day: date | None = None,
    *,
    known_at: datetime | None = None,
    accounts: Sequence[str] = (),
    formats: Iterable[str] = FORMATS,
    on_progress: OnProgress = ignore_progress,
) -> Written:
    """Write the report of a day (the last one, where None) from the published copy, as known at an instant.

    What the evening said first stays in the folder `first` when a later run says something else. Raises as `open_known`
    does, and DaybookError where a file can't be written.
    """
    report = _collected(settings, catalog, day, known_at, accounts)
    name = file_name(f"report_{report.day}", known_at, report.accounts)
    makers = {form: partial(make, report, name) for form, make in _MAKERS.items()}
    keep_first = known_at is None and not accounts
    return Written(report, write_files(settings, makers, formats, on_progress, keep_first=keep_first))


def _collected(
    settings: Settings, catalog: Catalog, day: date | None, known_at: datetime | None, accounts: Sequence[str]
) -> Report:
    """The answers to every question: within a share of memory, and where they can't be had so, with what is free."""
    try:
        with open_known(catalog, settings.books, day, known_at, accounts, a_thread=REPORT_THREAD) as books:
            return collect_report(books)
    except duckdb.OutOfMemoryException:
        with open_known(catalog, settings.books, day, known_at, accounts) as books:
            return collect_report(books)


def write_files(
    settings: Settings,
    makers: Mapping[str, Callable[[], dict[str, bytes]]],
    formats: Iterable[str],
    on_progress: OnProgress,
    *,
    keep_first: bool = False,
) -> tuple[Path, ...]:
    """Write the files of the formats asked for, in the order of FORMATS. `keep_first`: those that are there already and
    differ are moved to the folder `first`, the first time. Raises DaybookError where one can't be written."""
    wanted = set(formats)
    files: list[Path] = []
    with ThreadPoolExecutor(AT_ONCE) as beside:
        made = {form: beside.submit(makers[form]) for form in FORMATS if form in wanted}
        for form, content in made.items():
            on_progress(Activity(f"writing {form}"))
            files += _write_all(settings, content.result(), keep_first=keep_first)
    return tuple(files)


def file_name(name: str, known_at: datetime | None, accounts: Sequence[str]) -> str:
    """A name such as report_2005-03-11, with the instant (_at-) and the accounts (_of-) where they were asked for: the
    same for the same question, in whatever order the accounts are named.

    Accounts are told apart by a fingerprint: an id is a text from elsewhere, and a name on the disk is made of dates.
    """
    if known_at:
        instant = known_at.astimezone(UTC)
        name += f"_at-{instant:%Y%m%dT%H%M%S}{f'.{instant.microsecond:06}' if instant.microsecond else ''}Z"
    if accounts:
        name += f"_of-{hashlib.sha256(chr(0).join(accounts).encode('utf-8', 'replace')).hexdigest()[:8]}"
    return name


def _html(report: Report, name: str) -> dict[str, bytes]:
    from pipelines.report.html import interactive_page, static_page

    return {f"{name}.html": static_page(report), f"{name}_interactive.html": interactive_page(report)}


def _pdf(report: Report, name: str) -> dict[str, bytes]:
    from pipelines.report.pdf import render_pdf

    return {f"{name}.pdf": render_pdf(report)}


def _xlsx(report: Report, name: str) -> dict[str, bytes]:
    from pipelines.report.xlsx import workbook

    return {f"{name}.xlsx": workbook(report)}


def _csv(report: Report, name: str) -> dict[str, bytes]:
    from pipelines.report.csv import extracts

    return {f"{name}_csv/{file}": text for file, text in extracts(report.sections).items()}


#: Each imports what it needs when it is asked for: a page doesn't wait for the libraries of the others.
_MAKERS: Mapping[str, Callable[[Report, str], dict[str, bytes]]] = {
    "html": _html,
    "pdf": _pdf,
    "xlsx": _xlsx,
    "csv": _csv,
}


def _write_all(settings: Settings, files: Mapping[str, bytes], *, keep_first: bool) -> list[Path]:
    written = []
    for name, content in files.items():
        path = settings.reports / name
        try:
            if keep_first:
                _keep(settings, name, content)
            _make_folder(path.parent, settings.publish_group)
            write_whole(path, content, durable=True)
            share(path, settings.publish_group, 0o640)
        except (OSError, LookupError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DaybookError(f"The report can't be written to {path} ({reason}).") from error
        written.append(path)
    return written


def _keep(settings: Settings, name: str, content: bytes) -> None:
    """Copy what was reported first, before something else takes its place."""
    path, first = settings.reports / name, settings.reports / FIRST / name
    if first.exists() or not path.is_file() or _is(path, content):
        return
    for folder in (settings.reports / FIRST, first.parent):
        _make_folder(folder, settings.publish_group)
    write_whole(first, path.read_bytes(), durable=True)
    share(first, settings.publish_group, 0o640)


def _is(path: Path, content: bytes) -> bool:
    """Whether a file holds just that: looked at a piece at a time, for the largest has hundreds of megabytes."""
    view, size = memoryview(content), 2**20
    with path.open("rb") as file:
        return all(file.read(size) == view[at : at + size] for at in range(0, len(view) + 1, size))


def _make_folder(folder: Path, group: str | None) -> None:
    make_folder(folder, exist_ok=True)
    share(folder, group, 0o750)
