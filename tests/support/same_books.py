"""Whether a lake that was filled in parts has the books of a file that was filled in whole evenings."""

from __future__ import annotations

from pathlib import Path

from pipelines.settings import Settings
from pipelines.warehouse.session import warehouse_session

#: Of a run itself: there are more of them where an evening is read in parts, and each is of its own moment.
OF_RUNS = {
    "run_id", "marks_run_id", "daily_fields_run_id", "captured_at", "request_ids", "archive_files", "known_from",
    "known_to", "_dlt_load_id",
}  # fmt: skip
#: Tables with rows of runs and plans, and errors that quote a request's id.
_RUNS = {"raw.extract_run", "raw.extract_manifest", "core.run", "core.snapshot_grade", "raw._dlt_loads"}
_TABLES = """
    select schema_name || '.' || table_name from duckdb_tables()
    where database_name = 'file' and schema_name in ('raw', 'core', 'pnl', 'quality') and table_name not like '\\_dlt%'
    escape '\\' order by all
"""


def different(file: Path, settings: Settings) -> list[str]:
    """A sentence for each table of which one side has a row that the other has not, but for what is of a run itself;
    rows of raw.* that several runs brought alike count once."""
    found = []
    with warehouse_session(settings, wait=600) as con:
        con.execute(f"attach '{file}' as file (read_only)")
        names = [name for (name,) in con.execute(_TABLES).fetchall() if name not in _RUNS]
        assert len(names) > 25, names
        for name in names:
            described = con.execute(f"describe file.{name}").fetchall()
            columns = ", ".join(f'"{row[0]}"' for row in described if row[0] not in OF_RUNS)
            sides = [f"select {columns} from {side}.{name}" for side in ("file", "lake")]
            counts = []
            for mine, theirs in (sides, sides[::-1]):
                row = con.execute(f"select count(*) from ({mine} except {theirs})").fetchone()
                counts.append(row[0] if row else 0)
            if any(counts):
                found.append(
                    f"{name}: {counts[0]} rows of the file are not in the lake, {counts[1]} of the lake's not there"
                )
            if not name.startswith("raw.") and (rows := [con.sql(side).shape[0] for side in sides])[0] != rows[1]:
                found.append(f"{name}: {rows[0]} rows in the file, {rows[1]} in the lake")
    return found
