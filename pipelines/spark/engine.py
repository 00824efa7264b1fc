"""The engine: every select of the catalogue but those of DuckDB's own, computed by Spark, from files to files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import duckdb

from pipelines.books.catalog import Catalog, Table
from pipelines.books.engine import Engine, Rows
from pipelines.settings import Settings
from pipelines.spark.exchange import Exchange, is_dated
from pipelines.spark.session import check_spark, start_session, told_by_spark
from pipelines.spark.watch import Watch
from pipelines.warehouse.contents import literal
from pipelines.warehouse.sql_text import without_comments

_PARAMETER = re.compile(r"\$([a-z_]+)")
_STATEMENT = re.compile(r";\s*$", re.MULTILINE)
_SCHEMAS = ("raw", "core", "pnl", "quality", "made", "other_days")
#: Days of which fewer positions landed are planned longer than they are computed: then Spark compiles nothing, shuffles
#: little, and looks for no filter that nobody wrote.
_SMALL = 1_000_000
_WHEN_SMALL = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.constraintPropagation.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
}
_WHEN_LARGE = {
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.constraintPropagation.enabled": "true",
    "spark.sql.shuffle.partitions": "200",
}
_POSITIONS = """
    select coalesce(sum(manifest.rows_landed), 0)::bigint from raw.extract_manifest as manifest
    inner join core.run on manifest.run_id = run.run_id
    where run.trading_date between $1 and $2 and manifest.endpoint = 'positions'
"""


@contextmanager
def spark_engine(settings: Settings) -> Iterator[SparkEngine]:
    """The engine for a build; its session begins with the first days and ends with the block.

    Raises ConfigurationError where Spark can't be started, DaybookError where its master doesn't answer.
    """
    check_spark(settings)
    engine = SparkEngine(settings)
    try:
        yield engine
    finally:
        engine.stop()


class SparkEngine(Engine):
    """Spark, wherever DAYBOOK_SPARK says. Days are built in one go, however many: no process has to hold them."""

    rows_at_once = 10**18

    def __init__(self, settings: Settings, session: Any = None) -> None:
        """`session`: one that is there already, and goes on after."""
        self._settings = settings
        self._session = session
        self._is_own = session is None
        self._watch: Watch | None = None
        self._numbers = count()
        self._provided: set[str] = set()
        self._counted: dict[str, int] = {}

    def stop(self) -> None:
        """End the session, where it began here. What it does about that is no matter of the books any more."""
        if self._watch is not None:
            self._watch.stop()
        if self._is_own and self._session is not None:
            with suppress(Exception):
                self._session.stop()
            self._session = None

    def begin(self, con: duckdb.DuckDBPyConnection, catalog: Catalog, values: Mapping[str, Any]) -> None:
        """Forget what was read of other days, and start where nothing was."""
        self._con, self._catalog, self._values = con, catalog, values
        self._folder = self._settings.working / f"spark-{next(self._numbers)}"
        self._folder.mkdir(mode=0o700)
        self._exchange = Exchange(con, self._folder / "read", values)
        self._provided.clear()
        self._counted.clear()
        found = con.execute(_POSITIONS, [values["from_date"], values["to_date"]]).fetchone()
        is_small = (found or (0,))[0] < _SMALL
        with told_by_spark():
            if self._session is None:
                self._session = start_session(self._settings, self._settings.working, is_small=is_small)
                if not self._settings.spark.startswith("local"):
                    self._watch = Watch(self._session, self._settings.spark)
            for name, value in (_WHEN_SMALL if is_small else _WHEN_LARGE).items():
                self._session.conf.set(name, value)
            self._prepare()

    def _prepare(self) -> None:
        for schema in _SCHEMAS:
            self._sql(f"drop schema if exists {schema} cascade")
            self._sql(f"create schema {schema}")
        make_functions(self._session, self._catalog)

    def rows(self, table: Table) -> Rows:
        """The files that Spark has written of a table. Raises BuildFailed where it can't."""
        if table.in_duckdb:
            return Rows(table.select)
        with told_by_spark():
            for name in sorted(table.all_reads):
                self._provide(name)
            select = without_comments(table.select)
            used = set(_PARAMETER.findall(select))
            frame = self._session.sql(_PARAMETER.sub(r":\1", select), args={name: self._values[name] for name in used})
            path = self._folder / "made" / table.name
            frame.write.parquet(str(path))  # from the executors to the files: no row passes this process
            self._register(table, frame.schema, path)
        return Rows(f"select * from read_parquet({literal(path / '*.parquet')})", are_stored=True)

    def _register(self, table: Table, schema: Any, path: Path) -> None:
        """A table that Spark has made, for the selects that read it."""
        if table.kind != "days":
            self._session.read.schema(schema).parquet(str(path)).createOrReplaceTempView(table.working)
            self._provided.add(table.working)
            return
        made = f"made.{table.bare}"
        self._session.catalog.createTable(made, path=str(path), source="parquet", schema=schema)
        other, rows = self._other_days(table)
        columns = ", ".join(f"`{name}`" for name in schema.names)
        both = f" union all select {columns} from {other}" if rows else ""
        self._sql(f"create or replace view {table.name} as select {columns} from {made}{both}")
        self._provided.add(table.name)

    def _provide(self, name: str) -> None:
        """What a select names, as Spark can read it; nothing where it is a part of the select."""
        table = next((each for each in self._catalog.tables if name in (each.name, each.working)), None)
        kind = table.kind if table is not None else None
        if name in self._provided or not ("." in name or name.startswith("input_") or kind in ("working", "versions")):
            return
        self._provided.add(name)
        if table is not None and kind == "view":
            for each in sorted(table.all_reads):
                self._provide(each)
            self._sql(f"create view {name} as {without_comments(table.select)}")
        elif table is not None and kind == "days" and not table.in_duckdb:  # it reads its own, of days before
            other, _ = self._other_days(table)
            columns = ", ".join(f"`{column}`" for column in self._exchange.columns(name))
            self._sql(f"create view {name} as select {columns} from {other}")
        elif "." in name:
            self._read(name, name)
        else:
            folder, _ = self._exchange.write(name)
            self._session.read.schema(self._exchange.declared(name)).parquet(str(folder)).createOrReplaceTempView(name)

    def _other_days(self, table: Table) -> tuple[str, int]:
        """The rows of a table of other days than those that are built: as a table of Spark's, and how many."""
        name = f"other_days.{table.bare}"
        if name not in self._counted:
            self._counted[name] = self._read(table.name, name, other_days=True)
        return name, self._counted[name]

    def _read(self, name: str, as_name: str, *, other_days: bool = False) -> int:
        """Rows of the warehouse as a table of Spark's; how many."""
        folder, rows = self._exchange.write(name, other_days=other_days)
        declared = self._exchange.declared(name)
        extra, by = (", on_date date", " partitioned by (on_date)") if is_dated(name) else ("", "")
        place = str(folder).replace("\\", "\\\\").replace("'", "\\'")
        self._sql(f"create table {as_name} ({declared}{extra}) using parquet{by} location '{place}'")
        if by:
            self._sql(f"alter table {as_name} recover partitions")
        return rows

    def _sql(self, statement: str) -> None:
        self._session.sql(statement)


def make_functions(session: Any, catalog: Catalog) -> None:
    """Spark's form of the functions that selects call, for a session."""
    text = without_comments(catalog.functions_of_spark.read_text(encoding="utf-8"))
    for statement in _STATEMENT.split(text):
        if statement.strip():
            session.sql(statement.strip().replace("create temporary", "create or replace temporary", 1))
