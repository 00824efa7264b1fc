"""Verifying a home: every table read whole, every manifest against its rows, every archived page against its hash."""

from __future__ import annotations

from dataclasses import dataclass, field

import duckdb
import orjson

from pipelines.archive.places import runs_of
from pipelines.archive.read import Damaged, StoredRun
from pipelines.errors import DaybookError, first_line
from pipelines.progress import Activity, OnProgress, ignore_progress
from pipelines.settings import Settings
from pipelines.warehouse.connect import PRUNED, remembered
from pipelines.warehouse.contents import contents, row_counts


@dataclass
class Verified:
    """What was looked at, and in `problems`, in sentences, what is not as it should be. `notes` are no problems."""

    tables: int = 0
    rows: int = 0
    runs: int = 0
    pages: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify_home(
    con: duckdb.DuckDBPyConnection, settings: Settings, on_progress: OnProgress = ignore_progress
) -> Verified:
    """Verify the open warehouse of a home, and its archive. Raises DaybookError where a table can't be read at all,
    StoreAway where a lake's archive can't."""
    found = Verified()
    on_progress(Activity("reading every table"))
    try:
        counts = row_counts(contents(con))
    except duckdb.Error as error:
        raise DaybookError(
            f"The warehouse can't be read whole ({first_line(error)}): `daybook doctor` says what can be done."
        ) from error
    found.tables, found.rows = len(counts), sum(counts.values())
    listed = _listed(con) if "raw.extract_manifest" in counts else {}
    if listed:
        _check_manifest(con, found, counts)
    _check_archive(settings, listed, _kept(con, listed), found, on_progress)
    return found


def _check_manifest(con: duckdb.DuckDBPyConnection, found: Verified, counts: dict[str, int]) -> None:
    """Every listing that is whole has the rows that its manifest counts."""
    endpoints = con.execute("select distinct endpoint from raw.extract_manifest order by endpoint").fetchall()
    for (endpoint,) in endpoints:
        if f"raw.{endpoint}" not in counts:
            found.problems.append(f"raw.{endpoint} is gone, and the manifest has rows of it.")
            continue
        for run_id, account_id, said, there in con.execute(_miscounted(con, endpoint), [endpoint]).fetchall():
            of = f" of account {account_id}" if account_id else ""
            found.problems.append(
                f"Run {run_id} landed {said} {endpoint}{of} and {there} are there: `daybook replay` lands them again."
            )


def _miscounted(con: duckdb.DuckDBPyConnection, endpoint: str) -> str:
    """A select of the listings of an endpoint whose rows are not those of the manifest."""
    columns = {row[0] for row in con.execute(f"describe raw.{endpoint}").fetchall()}
    per_account = "and (manifest.account_id = '' or landed.account_id = manifest.account_id)"
    return f"""
        select manifest.run_id, manifest.account_id, manifest.rows_landed, count(landed.run_id) as there
        from raw.extract_manifest as manifest
        left join raw.{endpoint} as landed
            on manifest.run_id = landed.run_id {per_account if "account_id" in columns else ""}
        where manifest.endpoint = ? and manifest.complete
        group by all
        having there <> manifest.rows_landed
        order by all
    """  # noqa: S608


def _listed(con: duckdb.DuckDBPyConnection) -> dict[str, set[str]]:
    """The hashes of the pages that the manifests list, by run."""
    rows = con.execute("select run_id, archive_files from raw.extract_manifest").fetchall()
    listed: dict[str, set[str]] = {}
    for run_id, files in rows:
        listed.setdefault(run_id, set()).update(entry["sha256"] for entry in orjson.loads(files or "[]"))
    return listed


def _kept(con: duckdb.DuckDBPyConnection, listed: dict[str, set[str]]) -> set[str]:
    """The runs whose archive was never pruned: those of the day on which `daybook prune` stopped, and later ones."""
    before = remembered(con, PRUNED)
    if before is None:
        return set(listed)
    query = "select run_id from raw.extract_run where trading_date >= cast(? as date)"
    return {run_id for (run_id,) in con.execute(query, [before]).fetchall()}


def _check_archive(
    settings: Settings, listed: dict[str, set[str]], kept: set[str], found: Verified, on_progress: OnProgress
) -> None:
    runs = runs_of(settings)
    for run in runs:
        on_progress(Activity(f"reading the archive of run {run.run_id}"))
        try:
            _check_run(run, listed, found)
        except Damaged as damage:
            found.problems.append(str(damage))
    there = {run.run_id for run in runs}
    gone = {run_id for run_id, pages in listed.items() if pages and run_id not in there}
    if pruned := sorted(gone - kept):
        found.notes.append(f"{len(pruned)} runs of the books were pruned from the archive (first {pruned[0]}).")
    if lost := sorted(gone & kept):
        found.problems.append(
            f"{len(lost)} runs are in the books and not in the archive (first {lost[0]}): copy their folders back from "
            "a backup made --with-archive, or from where the archive was before."
        )


def _check_run(run: StoredRun, listed: dict[str, set[str]], found: Verified) -> None:
    if not run.is_sealed:
        found.notes.append(f"Run {run.run_id} was begun and never finished reading: nothing of it is in the books.")
        return
    with run.at_hand() as archived:
        archived.prove()
        records = archived.records
    found.runs += 1
    found.pages += len(records)
    if run.run_id not in listed:
        found.problems.append(f"Run {run.run_id} is in the archive and not in the books: `daybook replay` lands it.")
    elif missing := listed[run.run_id] - {record.entry["sha256"] for record in records}:
        found.problems.append(f"{len(missing)} pages of run {run.run_id} are not those that its manifest lists.")
