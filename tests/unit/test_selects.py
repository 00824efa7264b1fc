"""The .sql files as a person reads them: short enough, with their columns named, and with every rule in one place."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from assets.catalog import HERE, TABLES
from pipelines.books.catalog import Table
from pipelines.warehouse.sql_text import without_comments

PIPELINES = HERE.parent / "pipelines"
SELECTS = sorted(path for each in (HERE, PIPELINES) for path in each.rglob("*.sql") if "functions" not in path.stem)
DERIVED = sorted(table.path for table in TABLES)
FUNCTIONS, FUNCTIONS_OF_SPARK = HERE / "functions.sql", HERE / "functions_of_spark.sql"

#: What only functions.sql may say, each by what it looks like and whom to call instead.
RULES = {
    "the form of an option's symbol": (r"\[CP\]|\\d\{6\}|\[0-9\]\{[68]\}", "osi_root, osi_terms"),
    "the tolerance of an account's figure": (r"greatest\(0\.05|0\.01 \* positions", "tolerance"),
    "the tolerance of a reported figure": (r"[<>]=? 0\.01\b|greatest\(0\.01|, 0\.01\)", "cent"),
    "the tolerance of our own figures": (r"0\.000001", "differs"),
    "the ranks of qualities": (
        r"when '(?:EXACT|REPORTED|ASSUMED)' then \d|= \d then '(?:EXACT|REPORTED)'",
        "quality_rank",
    ),
    "which grades count as end of day": (r"'POST_CLOSE',\s*'LATE'|'LATE',\s*'POST_CLOSE'", "is_end_of_day"),
}


def name(path: Path) -> str:
    return path.relative_to(HERE.parent).as_posix()


@cache
def code(path: Path) -> str:
    """A file without its comments."""
    return without_comments(path.read_text(encoding="utf-8"))


def parsed(text: str) -> exp.Query:
    found = sqlglot.parse_one(text, dialect="duckdb")
    assert isinstance(found, exp.Query)
    return found


def _with(select: exp.Query) -> list[exp.Expression]:
    found = select.find(exp.With)
    assert found
    return found.expressions


@pytest.mark.parametrize("path", [*SELECTS, FUNCTIONS, FUNCTIONS_OF_SPARK], ids=name)
def test_a_file_is_short_enough_to_be_read_in_one_go(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("path", DERIVED, ids=name)
def test_a_table_names_its_columns_and_so_does_all_that_it_is_made_of(path: Path) -> None:
    # count(*) counts rows and hides no column
    stars = [each for each in parsed(code(path)).find_all(exp.Star) if not isinstance(each.parent, exp.Count)]
    assert stars == []


@pytest.mark.parametrize("path", DERIVED, ids=name)
def test_the_parts_of_a_union_give_their_columns_the_same_names(path: Path) -> None:
    for union in parsed(code(path)).find_all(exp.Union):
        assert union.left.named_selects == union.right.named_selects


@pytest.mark.parametrize("path", SELECTS, ids=name)
def test_a_rule_stands_in_functions_alone(path: Path) -> None:
    again = {rule: call for rule, (form, call) in RULES.items() if re.search(form, code(path))}
    assert again == {}, "call what functions.sql has for it"


@pytest.mark.parametrize("rule", RULES)
def test_functions_have_each_rule_once(rule: str) -> None:
    text = code(FUNCTIONS)
    assert all(f"macro {call}(" in text for call in RULES[rule][1].split(", "))


def test_spark_has_every_function_that_the_selects_call() -> None:
    ours = set(re.findall(r"macro (\w+)\(", code(FUNCTIONS)))
    of_spark = set(re.findall(r"function (\w+)\(", code(FUNCTIONS_OF_SPARK)))
    called = {each for path in DERIVED for each in re.findall(r"\b(\w+)\(", code(path))} & ours
    assert called <= of_spark
    assert of_spark - ours == {"nearest", "whole"}  # how it rounds and casts as DuckDB does


def test_no_python_module_repeats_a_rule_of_the_selects() -> None:
    texts = {
        path: path.read_text(encoding="utf-8")
        for each in (HERE, PIPELINES / "books", PIPELINES / "report")
        for path in each.rglob("*.py")
    }
    again = [
        (name(path), rule) for path, text in texts.items() for rule, (form, _) in RULES.items() if re.search(form, text)
    ]
    assert again == []


@pytest.mark.parametrize("table", [each for each in TABLES if each.kind == "ephemeral"], ids=lambda each: each.name)
def test_every_ephemeral_table_is_read_by_a_later_one(table: Table) -> None:
    later = TABLES[TABLES.index(table) + 1 :]
    assert [each.name for each in later if table.bare in each.reads]
    assert not [each.name for each in TABLES[: TABLES.index(table)] if table.bare in each.reads]


def test_an_ephemeral_table_becomes_a_part_of_the_selects_that_read_it() -> None:
    (change,) = (table for table in TABLES if table.name == "core.position_change")
    parts = [part.alias for part in _with(parsed(change.select))]
    assert parts.index("account_day") < parts.index("position_before") < parts.index("position_pair")
    assert len(parts) == len(set(parts))


def test_the_rows_that_have_versions_and_no_others_have_reasons_of_them() -> None:
    versioned = {table.path.parent / "reason" / table.path.name for table in TABLES if table.kind == "versions"}
    assert versioned == set(HERE.glob("*/reason/*.sql"))
    for table in TABLES:
        if table.kind == "versions":
            (reason,) = parsed(code(table.path.parent / "reason" / table.path.name)).selects
            assert reason.alias == "reason"
            assert table.reason.split()[0] == "case"
            assert table.reason.split()[-1] == "end"


def test_what_makes_a_build_look_at_a_day_again_is_one_column_of_dates_each() -> None:
    files = [path for path in (HERE / "changed").glob("*.sql") if path.stem != "new_run"]
    assert len(files) >= 5
    for path in files:
        assert len(parsed(code(path)).named_selects) == 1


def test_hyphens_within_a_text_begin_no_comment() -> None:
    sql = "select 'it''s `sync --wait`' as a -- it's why\n, '--' as b --"
    assert without_comments(sql) == "select 'it''s `sync --wait`' as a \n, '--' as b "


def test_a_view_calls_no_function_that_only_a_build_has() -> None:
    ours = re.findall(r"temporary macro (\w+)\(", code(FUNCTIONS))
    assert len(ours) > 20
    called = {
        table.name: found
        for table in TABLES
        if table.kind == "view" and (found := set(re.findall(r"\b(\w+)\(", without_comments(table.select))) & set(ours))
    }
    assert called == {}, "whoever reads the published books has no such function"
