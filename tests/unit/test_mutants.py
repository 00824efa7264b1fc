"""What `make mutate` tries: one thing wrong at a time, of every file and kind, the same every time."""

from __future__ import annotations

from pathlib import Path

from tests.tools import mutants_of_python, mutants_of_sql
from tests.tools.mutate import PYTHON_TESTS, SQL_TESTS, named_tests, sql_files
from tests.tools.mutation import ROOT, Mutant, Results, chosen, table

PERIOD, FILES = "assets/pnl/period.sql", "pipelines/archive/files.py"


def made(path: str, kind: str, number: int) -> Mutant:
    return Mutant(path, number, kind, "was", "becomes", f"{kind} {number}")


def test_a_mutant_of_a_select_says_where_it_is_and_differs_there_alone() -> None:
    mutants = mutants_of_sql.mutants_of(PERIOD)
    right = mutants_of_sql.only_rendered(PERIOD)
    assert len({mutant.text for mutant in mutants} | {right}) == len(mutants) + 1
    (no_start,) = [
        each for each in mutants if each.kind == "argument dropped" and each.becomes.startswith("GREATEST(MAX")
    ]
    assert "max(index_itd)" in (ROOT / PERIOD).read_text().splitlines()[no_start.line - 1]
    changed = set(no_start.text.splitlines()) ^ set(right.splitlines())
    assert all("peak" in line or line.strip() in ("1", ") as peak") or "max(index_itd)" in line for line in changed)


def test_a_mutant_of_a_module_says_where_it_is() -> None:
    dropped = {each.was: each for each in mutants_of_python.mutants_of(FILES) if each.kind == "call dropped"}
    fsync = dropped["os.fsync(file.fileno())"]
    assert "os.fsync(file.fileno())" in (ROOT / FILES).read_text().splitlines()[fsync.line - 1]
    assert "os.fsync(file.fileno())" not in fsync.text


def test_every_file_is_tried_before_any_is_tried_again_and_every_kind_as_far_as_there_are_any() -> None:
    places = [made(path, kind, number) for path in "abc" for kind in ("sign", "bound") for number in range(3)]
    first = chosen(places, 6)
    assert [each.path for each in first] == [*"abcabc"]
    assert [each.kind for each in first].count("sign") == 3
    assert chosen(places, 4) == first[:4]


def test_a_run_that_was_ended_goes_on_where_it_was_and_says_what_survived(tmp_path: Path) -> None:
    sign, bound = made("a", "sign turned", 1), made("a", "bound moved", 2)
    results = Results(tmp_path / "results.jsonl")
    results.noticed(sign, "a test")
    results.not_noticed(bound, "another")
    again = Results(tmp_path / "results.jsonl")
    assert (again.noticed_by, again.passed[bound.key]) == ({sign.key: "a test"}, {"another"})
    assert table("sql", [sign, bound], [sign, bound], again).splitlines() == [
        "sql                   places     run  killed  survived",
        "bound moved                1       1       0         1",
        "sign turned                1       1       1         0",
        "all                        2       2       1         1",
        "SURVIVED  a:2: bound moved: was  ->  becomes",
    ]


def test_every_test_that_is_named_for_a_file_is_there() -> None:
    named = {test for path in (*sql_files(), *PYTHON_TESTS) for test in named_tests(path)}
    assert [test for test in sorted(named) if not (ROOT / test).exists()] == []
    assert [path for path in PYTHON_TESTS if not (ROOT / path).exists()] == []
    assert SQL_TESTS[-1][0] == ""
