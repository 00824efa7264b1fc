"""`make mutate`: the SQL of the books and the Python that proves, lands, publishes and sends is broken in one place at
a time, and the tests that are about it have to notice.

A mutant of the SQL has the tests of its own select first (tests/unit/test_selects_of_*.py), then it is built into the
hand-checked books (recorded_books.py) and into random ones (drawn_books.py), in one go and then day by day; whatever is
left is put into a copy of the project, and the tests run that are named here. A mutant of the Python has the tests that
are named here. What none of them notices is a survivor: it needs a test, or a reason in docs/reliability.md. A run that
was ended goes on where it was.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from assets.catalog import CATALOG
from tests.tools import mutants_of_python, mutants_of_sql
from tests.tools.beside import tests_changed_by
from tests.tools.books_judge import BooksJudge, Buildable
from tests.tools.drawn_books import drawn_books
from tests.tools.mutation import ROOT, Mutant, ProjectCopy, Results, chosen, table
from tests.tools.recorded_books import recorded_books

#: Where the results are, and the books as they were recorded.
KEPT = ROOT / ".mutate"
NUMBER = {"sql": 150, "python": 60}
#: How many tests look at a mutant of a table, of those whose books it changes.
TESTS = 20
#: How many random books are built day by day, too: as many as tests/integration/test_pnl_properties.py builds so.
DAY_BY_DAY = 10
#: The tests of single selects, each of which names the file that it is about.
SELECTS = sorted((ROOT / "tests" / "unit").glob("test_selects_of_*.py"))
#: Which tests of a module look first.
QUICK_FIRST = ("not heavy and not kill", "heavy or kill")

_CASES = ("integration/test_pnl_cases.py", "integration/test_position_total.py")
_OPTIONS = ("integration/test_option_outcomes.py", "integration/test_pnl_cases.py")
_FINDINGS = ("integration/test_findings.py", "integration/test_reconciliation.py")
#: The beginnings of names of SQL files, and the tests that should see what is wrong there. The first that fits counts.
SQL_TESTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"core/(fill|trade_(flow|counted|between)|flow_between)", ("integration/test_fills.py", *_CASES)),
    (r"core/(option|delivery|possible_delivery|cash_settled|open_outcome|assumed)", _OPTIONS),
    (r"core/(accepted|spent|stock_change|underlying|lifecycle|market_price|contract_term)", _OPTIONS),
    (r"core/(request|trade_request)", ("integration/test_trading_books.py",)),
    (r"core/(recovered|stand_in|seen_flat)", ("integration/test_recovery.py",)),
    (r"core/position_(held|unit|priced)", ("integration/test_position_held.py", "integration/test_position_unit.py")),
    (r"core/(expected|run|calendar|snapshot|account|broker|period_lock|row_source)", (
        "integration/test_expected_day.py", "integration/test_account_daily.py",
    )),
    (r"core", _CASES),
    (r"pnl/pnl_semantics", ("integration/test_pnl_semantics.py",)),
    (r"pnl/(period|prior)", ("integration/test_period.py", "integration/test_findings.py")),
    (r"pnl/(account|missed|firm|group|exposure)", (
        "integration/test_account_daily.py", "integration/test_firm_daily.py", "integration/test_period.py",
    )),
    (r"pnl/reason", ("integration/test_fills.py", "integration/test_restatements.py")),
    (r"pnl", _CASES),
    (r"quality/(exact|restated|.*invariant)", ("integration/test_invariants.py",)),
    (r"quality/recovery", ("integration/test_recovery.py",)),
    (r"quality/(day|gap|account_check)\b", ("integration/test_expected_day.py", *_FINDINGS)),
    (r"quality/(expiry|instruction|fill)", ("integration/test_findings.py", "integration/test_option_outcomes.py")),
    (r"quality", _FINDINGS),
    (r"changed/stand_in", ("integration/test_recovery.py",)),
    (r"changed", ("integration/test_changed_days.py", "integration/test_fills.py")),
    (r"", ("integration/test_report.py",)),
)  # fmt: skip
#: What single functions of all of these say at their edges.
EDGES = "unit/test_edges.py"
#: A module that proves, lands, publishes or sends, and the tests that should see what is wrong with it.
PYTHON_TESTS: dict[str, tuple[str, ...]] = {
    "pipelines/broker/proof.py": ("unit/test_reading.py", "integration/test_reading_pages.py"),
    "pipelines/broker/listing.py": (
        "unit/test_reading.py", "integration/test_reading_pages.py", "integration/test_reading_failures.py",
        "integration/test_reading_client.py",
    ),
    "pipelines/ingest/landing.py": ("integration/test_landing.py", "integration/test_sync_outcomes.py"),
    "pipelines/ingest/snapshot.py": (
        "integration/test_landing.py", "integration/test_sync_outcomes.py", "faults/test_clock.py",
    ),
    "pipelines/warehouse/destination.py": ("integration/test_landing.py", "integration/test_replay.py"),
    "pipelines/warehouse/dlt_pipeline.py": ("integration/test_landing.py", "integration/test_migrations.py"),
    "pipelines/warehouse/tables.py": (
        "integration/test_account_daily.py", "integration/test_build.py", "integration/test_restatements.py",
    ),
    "pipelines/archive/files.py": ("unit/test_files.py", "faults/test_strange_files.py"),
    "pipelines/archive/write.py": ("integration/test_durable_order.py", "integration/test_replay.py"),
    "pipelines/warehouse/publish.py": (
        "integration/test_durable_order.py", "integration/test_warehouse_files.py", "faults/test_false_success.py",
    ),
    "pipelines/warehouse/published.py": ("faults/test_false_success.py", "integration/test_warehouse_files.py"),
    "pipelines/trading/send.py": (
        "unit/test_trading_answers.py", "integration/test_trading_outcomes.py", "integration/test_trading_wire.py",
    ),
    "pipelines/trading/journal.py": ("integration/test_trading_outcomes.py", "integration/test_trading_settled.py"),
    "pipelines/trading/held.py": ("faults/shown",),
    "pipelines/trading/changes.py": ("faults/shown",),
    "pipelines/trading/requests.py": ("unit/test_trading_requests.py", "integration/test_trading_wire.py"),
    "pipelines/trading/batch.py": ("unit/test_trading_requests.py", "integration/test_trading_wire.py"),
}  # fmt: skip


def sql_files() -> list[str]:
    """The selects that the books are made of."""
    found = [
        path for schema in ("core", "pnl", "quality", "changed") for path in (ROOT / "assets" / schema).rglob("*.sql")
    ]
    return sorted(str(path.relative_to(ROOT)) for path in [*found, *(ROOT / "pipelines" / "books").glob("*.sql")])


def named_tests(path: str) -> list[str]:
    """The tests of a file, by their paths."""
    if path.endswith(".py"):
        return [f"tests/{name}" for name in (EDGES, *PYTHON_TESTS[path])]
    name = path.removeprefix("assets/")
    own = f"integration/test_{Path(path).stem}.py"
    named = next(tests for beginning, tests in SQL_TESTS if re.match(beginning, name))
    several = [own, *named] if (ROOT / "tests" / own).exists() else named
    return [f"tests/{each}" for each in dict.fromkeys(several)]


def tests_of_select(path: str) -> list[str]:
    """The modules of SELECTS that ask the select of a file."""
    name = path.removeprefix("assets/").removesuffix(".sql").replace("pipelines/", "../pipelines/")
    told = f'"{name}"', f'days("{name.removeprefix("changed/")}"'
    return [str(each.relative_to(ROOT)) for each in SELECTS if any(name in each.read_text() for name in told)]


def judge_by_books(judge: BooksJudge, books: Sequence[Buildable], mutants: Sequence[Mutant], results: Results) -> None:
    """Have books look at the mutants that nothing has noticed yet: those that noticed most so far come first."""
    kills = Counter(by.partition(":")[0] for by in results.noticed_by.values())
    ordered = sorted(books, key=lambda each: (-kills[each.name], -each.size))
    for number, book in enumerate(ordered, 1):
        left = [each for each in mutants if each.key not in results.noticed_by]
        left = [each for each in left if book.name not in results.passed[each.key]]
        if not left:
            continue
        print(f"{number}/{len(ordered)} {book.name}: {len(left)} mutants", flush=True)
        for mutant, by in judge.noticed(book, left):
            results.noticed(mutant, by)
        for mutant in left:
            if mutant.key not in results.noticed_by:
                results.not_noticed(mutant, book.name)


def judge_by_all_books(judge: BooksJudge, mutants: Sequence[Mutant], results: Results) -> None:
    """Hand-checked books and random ones, each built in one go, which is cheap, before any is built day by day."""
    drawn, recorded = drawn_books(), recorded_books(KEPT / "books")
    judge_by_books(judge, [replace(each, day_by_day=False) for each in recorded], mutants, results)
    judge_by_books(judge, drawn, mutants, results)
    evening_by_evening = [replace(each, day_by_day=True) for each in drawn[:DAY_BY_DAY]]
    judge_by_books(judge, [*recorded, *evening_by_evening], mutants, results)


def judge_by_tests(
    project: ProjectCopy, mutants: Sequence[Mutant], tests_of: Callable[[str], list[str]], results: Results
) -> None:
    """Have their tests look at the mutants that nothing has noticed yet, a module after the other, and first the tests
    that are over soon."""
    for marked in QUICK_FIRST:
        for at in range(max(len(tests_of(each.path)) for each in mutants)):
            for mutant in mutants:
                for test in tests_of(mutant.path)[at : at + 1]:
                    judge_by_test(project, mutant, test, marked, results)


def judge_by_test(project: ProjectCopy, mutant: Mutant, test: str, marked: str, results: Results) -> None:
    """Have the tests of a module look at a mutant: not again, but where they were changed."""
    told = f"{project.told(test)} {marked}"
    if mutant.key in results.noticed_by or told in results.passed[mutant.key]:
        return
    print(f"{test}: {mutant}", flush=True)
    if failed := project.failed_with(mutant, ["-m", marked, test]):
        results.noticed(mutant, failed)
    else:
        results.not_noticed(mutant, told)


def judge_by_tests_that_change(project: ProjectCopy, asked: Mapping[Mutant, Sequence[str]], results: Results) -> None:
    """Have some tests look at each mutant; those of a module that are not among them have the same books with it."""
    for number, (mutant, tests) in enumerate(asked.items(), 1):
        print(f"{number}/{len(asked)} {mutant}: {len(tests)} tests", flush=True)
        if tests and (failed := project.failed_with(mutant, tests)):
            results.noticed(mutant, failed)
            continue
        for test in named_tests(mutant.path):
            results.not_noticed(mutant, project.told(test))


def not_noticed_yet(project: ProjectCopy, mutants: Sequence[Mutant], results: Results) -> dict[Mutant, list[str]]:
    """The mutants that nothing has noticed, each with its tests that have not looked at it; one that was changed looks
    again."""
    left = [each for each in mutants if each.key not in results.noticed_by]
    tests = {each: named_tests(each.path) for each in left}
    asked = {
        each: [test for test in tests[each] if project.told(test) not in results.passed[each.key]] for each in left
    }
    return {mutant: several for mutant, several in asked.items() if several}


def those_that_change(judge: BooksJudge, asked: Mapping[Mutant, Sequence[str]]) -> dict[Mutant, list[str]]:
    """Of each mutant the tests of which it changes a build, those first that few mutants change. What is no select of
    a build is left to all of its tests."""
    found = {mutant: list(tests) for mutant, tests in asked.items()}
    wrongs = [wrong for wrong in map(judge.wrong_of, asked) if wrong.tables or wrong.finds_days]
    found |= {wrong.mutant: [] for wrong in wrongs}
    for module in sorted({test for wrong in wrongs for test in asked[wrong.mutant]}):
        here = {wrong.mutant.key: wrong for wrong in wrongs if module in asked[wrong.mutant]}
        for key, tests in tests_changed_by(list(here.values()), CATALOG, module).items():
            found[here[key].mutant] += tests
    times = Counter(test for tests in found.values() for test in tests)
    return {mutant: sorted(tests, key=lambda test: times[test])[:TESTS] for mutant, tests in found.items()}


def judge_sql(project: ProjectCopy, mutants: Sequence[Mutant], results: Results) -> None:
    """Have the tests of single selects look at mutants, then books, then tests at those that no book notices."""
    judge_by_tests(project, mutants, tests_of_select, results)
    if not not_noticed_yet(project, mutants, results):
        return
    with BooksJudge.of(project, sql_files()) as judge:
        judge_by_all_books(judge, mutants, results)
        asked = those_that_change(judge, not_noticed_yet(project, mutants, results))
    judge_by_tests_that_change(project, asked, results)


def main() -> int:
    """Try mutants and print what noticed each; 1 where something was not noticed."""
    parser = argparse.ArgumentParser(prog="make mutate", description=__doc__)
    parser.add_argument("language", choices=NUMBER, nargs="*", help="mutants of these alone")
    parser.add_argument("--number", type=int, help="how many of each language: 150 and 60")
    parser.add_argument("--path", default="", help="mutants of the files whose path begins so")
    asked = parser.parse_args()
    tables = []
    for language in asked.language or list(NUMBER):
        files = sql_files() if language == "sql" else list(PYTHON_TESTS)
        made_by = mutants_of_sql.mutants_of if language == "sql" else mutants_of_python.mutants_of
        places = [mutant for path in files if path.startswith(asked.path) for mutant in made_by(path)]
        mutants = chosen(places, asked.number or NUMBER[language])
        results = Results(KEPT / f"{language}.jsonl")
        with TemporaryDirectory() as folder:
            project = ProjectCopy(Path(folder))
            if language == "sql":
                judge_sql(project, mutants, results)
            else:
                judge_by_tests(project, mutants, named_tests, results)
        tables.append(table(language, places, mutants, results))
    print("\n\n".join(tables))
    return int("SURVIVED" in "".join(tables))


if __name__ == "__main__":
    raise SystemExit(main())
