"""`make mutate`: the SQL of core, pnl and quality is broken in one place at a time, and some hand-checked book has to
come out wrong.

Each book of ../shared/scenarios is read once over HTTP, as the tests do it; what it landed, evening by evening, is kept,
and a mutant builds from there, so that a thousand books are built in the time of a hundred that are read. A mutant that
no book notices is a survivor, and its place is printed: it needs a test, or a reason in docs/reliability.md.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from assets.catalog import CATALOG
from pipelines.books.build import build
from pipelines.books.catalog import Table
from pipelines.books.locks import lock_period
from pipelines.settings import Settings
from tests.integration.test_scenarios import check_book
from tests.support.scenarios import Replay, scenarios

SCHEMAS = ("core", "pnl", "quality")
#: A mutant that is not noticed by then hangs: that is noticed.
SECONDS = 900


@dataclass(frozen=True)
class Mutant:
    """One table's select, changed in one place."""

    table: str
    rule: str
    was: str
    becomes: str
    text: str

    def __str__(self) -> str:
        return f"{self.table}: {self.rule}: {self.was}  ->  {self.becomes}"


Change = Callable[[exp.Expression], exp.Expression | None]
_SWAPPED: dict[type[exp.Expression], type[exp.Expression]] = {
    exp.Add: exp.Sub, exp.Sub: exp.Add, exp.Min: exp.Max, exp.Max: exp.Min, exp.Least: exp.Greatest,
    exp.Greatest: exp.Least,
}  # fmt: skip
_BOUNDS: dict[type[exp.Expression], type[exp.Expression]] = {
    exp.LT: exp.LTE, exp.LTE: exp.LT, exp.GT: exp.GTE, exp.GTE: exp.GT,
}  # fmt: skip


def _swap(node: exp.Expression) -> exp.Expression | None:
    other = _SWAPPED.get(type(node))
    return other(**{name: _copied(value) for name, value in node.args.items()}) if other else None


def _copied(value: Any) -> Any:
    if isinstance(value, list):
        return [_copied(each) for each in value]
    return value.copy() if isinstance(value, exp.Expression) else value


def _move_bound(node: exp.Expression) -> exp.Expression | None:
    other = _BOUNDS.get(type(node))
    return other(this=node.this.copy(), expression=node.expression.copy()) if other else None


def _drop_coalesce(node: exp.Expression) -> exp.Expression | None:
    return node.this.copy() if isinstance(node, exp.Coalesce) else None


def _drop_condition(node: exp.Expression) -> exp.Expression | None:
    return node.left.copy() if isinstance(node, exp.And) else None


def _drop_filter(node: exp.Expression) -> exp.Expression | None:
    return node.this.copy() if isinstance(node, exp.Filter) else None


def _drop_where(node: exp.Expression) -> exp.Expression | None:
    return exp.Where(this=exp.true()) if isinstance(node, exp.Where) else None


def _narrow_join(node: exp.Expression) -> exp.Expression | None:
    if not isinstance(node, exp.Join) or node.side.upper() != "LEFT":
        return None
    narrow = node.copy()
    narrow.set("side", None)
    return narrow


def _turn_sign(node: exp.Expression) -> exp.Expression | None:
    return node.this.copy() if isinstance(node, exp.Neg) else None


def _drop_abs(node: exp.Expression) -> exp.Expression | None:
    return node.this.copy() if isinstance(node, exp.Abs) else None


def _drop_not(node: exp.Expression) -> exp.Expression | None:
    return node.this.copy() if isinstance(node, exp.Not) and not isinstance(node.this, exp.Is) else None


def _drop_branch(node: exp.Expression) -> exp.Expression | None:
    if not isinstance(node, exp.Case) or len(node.args["ifs"]) < 2:  # noqa: PLR2004
        return None
    fewer = node.copy()
    fewer.set("ifs", fewer.args["ifs"][1:])
    return fewer


RULES: dict[str, Change] = {
    "the other sign or end": _swap,
    "a bound moved": _move_bound,
    "a coalesce dropped": _drop_coalesce,
    "a condition dropped": _drop_condition,
    "a filter dropped": _drop_filter,
    "a where dropped": _drop_where,
    "a join narrowed": _narrow_join,
    "a minus dropped": _turn_sign,
    "an abs dropped": _drop_abs,
    "a not dropped": _drop_not,
    "the first case dropped": _drop_branch,
}


def mutants_of(table: Table) -> Iterator[Mutant]:
    """Every mutant of a table's own select, in the order of its text."""
    tree = sqlglot.parse_one(table.text, dialect="duckdb")
    places = list(tree.walk())
    for number, node in enumerate(places):
        for rule, change in RULES.items():
            changed = change(node)
            if changed is None or node.parent is None:
                continue
            copy = tree.copy()
            list(copy.walk())[number].replace(changed)
            yield Mutant(table.name, rule, _short(node), _short(changed), rendered(copy))


def rendered(tree: exp.Expression) -> str:
    """The select as text that a catalogue's table can have."""
    text = tree.sql(dialect="duckdb")
    return "with " + text[5:] if text.startswith("WITH ") else text


def _short(node: exp.Expression) -> str:
    text = node.sql(dialect="duckdb", comments=False)
    return text if len(text) <= 90 else f"{text[:60]} ... {text[-25:]}"  # noqa: PLR2004


def put_in_place(name: str, text: str) -> None:
    """Have every table of the catalogue that is, or has as a part, the one of this name read this text."""
    for table in CATALOG.tables:
        for each in (table, *table.parts):
            if each.name == name:
                each.__dict__["text"] = text
        table.__dict__.pop("select", None)
    CATALOG.__dict__.pop("fingerprint", None)


@dataclass(frozen=True)
class Evening:
    """What one evening landed, and what is done with it."""

    rows: dict[str, pa.Table]
    adjustments: str
    known_at: datetime
    lock: tuple[date, datetime] | None


@dataclass(frozen=True)
class Book:
    """A hand-checked book that was read: the warehouse with its empty raw tables, and what came each evening."""

    scenario: dict[str, Any]
    field: bool
    realized: Any
    evenings: list[Evening]


class Recorder(Replay):
    """A replay whose evenings are kept as they were landed."""

    def record(self, con: duckdb.DuckDBPyConnection) -> list[Evening]:
        """Replay every day; what each of them landed."""
        seen: Counter[str] = Counter()
        evenings = []
        for day, _ in zip(self.scenario["days"], self.run(con), strict=True):
            known_at = datetime.fromisoformat(day.get("known_at", day["snapshot_at"]))
            at = datetime.fromisoformat(day.get("lock_at", known_at.isoformat()))
            lock = (date.fromisoformat(day["lock_through"]), at) if "lock_through" in day else None
            adjustments = self.settings().adjustments.read_text()
            evenings.append(Evening(_new_rows(con, seen), adjustments, known_at, lock))
        return evenings


def _new_rows(con: duckdb.DuckDBPyConnection, seen: Counter[str]) -> dict[str, pa.Table]:
    names = con.execute("select table_name from duckdb_tables() where schema_name = 'raw'").fetchall()
    found = {}
    for (name,) in names:
        rows = con.execute(f"select * from raw.{name} order by rowid offset {seen[name]}").to_arrow_table()
        seen[name] += rows.num_rows
        if rows.num_rows:
            found[name] = rows
    return found


def read_books(folder: Path) -> list[Book]:
    """Every hand-checked book, read over HTTP and built once as it should be."""
    made = []
    handed = [(each, False) for each in scenarios().values() if each.get("days")]
    for number, (scenario, field) in enumerate([*handed, *((each, True) for each in scenarios("field.json").values())]):
        home = folder / f"read-{number}"
        home.mkdir()
        with duckdb.connect(home / "warehouse.duckdb") as con, (replay := Recorder(scenario, home)).broker:
            con.execute("set timezone = 'UTC'")
            evenings = replay.record(con)
            check_book(con, scenario, field=field)
            realized = replay.settings().realized
            if not (folder / "raw.duckdb").exists():
                _empty_copy(con, folder / "raw.duckdb")
        made.append(Book(scenario, field, realized, evenings))
    return made


def _empty_copy(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    con.execute(f"attach '{path}' as bare")
    con.execute("create schema bare.raw")
    for (name,) in con.execute("select table_name from duckdb_tables() where schema_name = 'raw'").fetchall():
        con.execute(f"create table bare.raw.{name} as (from raw.{name}) with no data")
    con.execute("detach bare")


def wrong_in(book: Book, raw: Path, folder: Path) -> str | None:
    """What is wrong with a book as the catalogue builds it now, in a line; None where it comes out as expected."""
    home = Path(tempfile.mkdtemp(dir=folder))
    warehouse = home / "warehouse.duckdb"
    warehouse.write_bytes(raw.read_bytes())
    settings = Settings(base_url="http://127.0.0.1:1", home=home, realized=book.realized)
    settings.prepare_home()
    try:
        with duckdb.connect(warehouse) as con:
            con.execute("set timezone = 'UTC'")
            for evening in book.evenings:
                _build(con, settings, evening)
            check_book(con, book.scenario, field=book.field)
    except BaseException as error:  # noqa: BLE001  (whatever it is, the mutant was noticed)
        return f"{book.scenario['id']}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return None


def _build(con: duckdb.DuckDBPyConnection, settings: Settings, evening: Evening) -> None:
    settings.adjustments.write_text(evening.adjustments)
    for name, rows in evening.rows.items():
        con.register("landed", rows)
        con.execute(f"insert into raw.{name} by name select * from landed")
        con.unregister("landed")
    build(con, settings, CATALOG, built_at=evening.known_at)
    if evening.lock:
        through, at = evening.lock
        lock_period(con, through, at=at)
        build(con, settings, CATALOG, built_at=evening.known_at)


def noticed(mutant: Mutant, books: list[Book], folder: Path) -> str | None:
    """Which book is wrong with the mutant, asked in a process of its own."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = ""
        try:
            sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
            put_in_place(mutant.table, mutant.text)
            with tempfile.TemporaryDirectory(dir=folder) as own:
                said = next(filter(None, (wrong_in(book, folder / "raw.duckdb", Path(own)) for book in books)), "")
        except BaseException:  # noqa: BLE001
            said = traceback.format_exc()
        finally:
            os.write(writing, said.encode()[:4000])
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return text or None


def chosen(number: int, seed: int) -> list[Mutant]:
    """So many mutants, of as many tables and rules as there are: of each table and rule one, then further ones."""
    dice = random.Random(seed)
    tables = [table for table in CATALOG.tables if table.schema in SCHEMAS]
    by_kind: dict[tuple[str, str], list[Mutant]] = {}
    for table in tables:
        for mutant in mutants_of(table):
            by_kind.setdefault((mutant.rule, mutant.table), []).append(mutant)
    for several in by_kind.values():
        dice.shuffle(several)
    kinds = sorted(by_kind)
    dice.shuffle(kinds)
    found: list[Mutant] = []
    while len(found) < number and any(by_kind.values()):
        found += [by_kind[kind].pop() for kind in kinds if by_kind[kind]]
    return found[:number]


def main() -> int:
    """Try mutants and print each; 1 where one was not noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--table", help="mutants of this table alone")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    mutants = chosen(asked.number if not asked.table else 10**6, asked.seed)
    mutants = [each for each in mutants if asked.table in (None, each.table)]
    survivors = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        books = read_books(folder)
        for table in CATALOG.tables:
            put_in_place(table.name, rendered(sqlglot.parse_one(table.text, dialect="duckdb")))
        wrong = [said for book in books if (said := wrong_in(book, folder / "raw.duckdb", folder))]
        assert not wrong, f"books that are wrong without a mutant: {wrong}"
        print(f"{len(books)} books, {len(mutants)} mutants", flush=True)

        def attempt(mutant: Mutant) -> tuple[Mutant, str | None]:
            said = noticed(mutant, books, folder)
            if said:  # what noticed one will notice others: it is asked first
                first = said.partition(":")[0]
                books.sort(key=lambda book: book.scenario["id"] != first)
            return mutant, said

        with ThreadPoolExecutor(asked.jobs) as pool:
            for mutant, said in pool.map(attempt, mutants):
                print(f"{'noticed ' if said else 'SURVIVED'} {mutant}" + (f"   [{said[:100]}]" if said else ""), flush=True)
                if not said:
                    survivors.append(mutant)
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} noticed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
