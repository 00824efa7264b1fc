"""`make mutate`: the Python that proves, lands, publishes and sends is broken in one place at a time, and the tests that
are about it have to fail.

Each mutant runs in a copy of the project, so that nothing here changes. One that no test notices is a survivor, and its
place is printed: it needs a test, or a reason in docs/reliability.md.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).parents[2]
#: A module, and the tests that should see what is wrong with it: the quickest first.
TESTS = {
    "pipelines/broker/proof.py": ("unit/test_reading.py", "integration/test_reading_pages.py", "faults/test_paging_machine.py"),
    "pipelines/broker/listing.py": (
        "unit/test_reading.py", "integration/test_reading_pages.py", "integration/test_reading_client.py",
        "integration/test_reading_failures.py", "integration/test_sync_outcomes.py",
    ),
    "pipelines/ingest/landing.py": ("integration/test_landing.py", "integration/test_sync_outcomes.py"),
    "pipelines/ingest/snapshot.py": ("integration/test_landing.py", "integration/test_sync_outcomes.py", "faults/test_clock.py"),
    "pipelines/warehouse/destination.py": ("integration/test_landing.py", "integration/test_replay.py"),
    "pipelines/warehouse/dlt_pipeline.py": ("integration/test_landing.py", "integration/test_migrations.py"),
    "pipelines/archive/files.py": ("unit/test_files.py",),
    "pipelines/archive/write.py": ("unit/test_files.py", "integration/test_replay.py", "integration/test_landing.py"),
    "pipelines/warehouse/publish.py": (
        "integration/test_warehouse_files.py", "faults/test_false_success.py", "integration/test_build.py",
        "faults/test_disk_full.py",
    ),
    "pipelines/warehouse/published.py": (
        "faults/test_false_success.py", "integration/test_warehouse_files.py", "integration/test_build.py",
        "integration/test_sync_outcomes.py",
    ),
    "pipelines/trading/send.py": (
        "unit/test_trading_answers.py", "integration/test_trading_outcomes.py", "integration/test_trading_wire.py",
    ),
    "pipelines/trading/journal.py": ("integration/test_trading_outcomes.py", "faults/test_trading_killed.py"),
    "pipelines/trading/held.py": ("faults/shown", "integration/test_trading_jobs.py"),
    "pipelines/trading/changes.py": ("faults/shown", "integration/test_trading_jobs.py"),
    "pipelines/trading/requests.py": ("unit/test_trading_requests.py", "integration/test_trading_wire.py"),
    "pipelines/trading/batch.py": ("unit/test_trading_requests.py", "integration/test_trading_wire.py", "e2e/test_cli_trading.py"),
}  # fmt: skip
#: Seconds after which a mutant that hangs is ended: that is noticed.
PATIENCE = 900
_OTHER: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A module's text, changed in one place."""

    path: str
    line: int
    rule: str
    was: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.was}"


def mutants_of(path: str) -> Iterator[Mutant]:
    """Every mutant of a module, in the order of its text."""
    source = (ROOT / path).read_text(encoding="utf-8")
    for number, node in enumerate(ast.walk(ast.parse(source))):
        for rule in _rules(node):
            tree = ast.parse(source)
            place = next(each for at, each in enumerate(ast.walk(tree)) if at == number)
            _change(place, rule)
            was = " ".join((ast.get_source_segment(source, node) or "").split())[:110]
            yield Mutant(path, getattr(node, "lineno", 0), rule, was, ast.unparse(ast.fix_missing_locations(tree)))


def _rules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _OTHER:
        return ["another comparison"]
    if isinstance(node, ast.BoolOp):
        return ["and for or, or for and"]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return ["a not dropped"]
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return ["a call dropped"]
    if isinstance(node, ast.Raise):
        return ["nothing raised"]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        return ["the other sign"]
    return []


def _change(node: ast.AST, rule: str) -> None:
    if isinstance(node, ast.Compare):
        node.ops[0] = _OTHER[type(node.ops[0])]()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.BinOp):
        node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
    elif isinstance(node, ast.UnaryOp):
        node.op, node.operand = ast.Not(), ast.UnaryOp(op=ast.Not(), operand=node.operand)
    elif isinstance(node, ast.Expr):
        node.value = ast.Constant(value=None)
    else:
        assert rule == "nothing raised"
        _become_pass(node)


def _become_pass(node: ast.AST) -> None:
    """A statement that does nothing, in the place of another."""
    node.__class__ = ast.Pass
    for name in ("exc", "cause"):
        if hasattr(node, name):
            delattr(node, name)


def project_in(folder: Path) -> Path:
    """A copy of the project's files, as git knows them."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def failed_in(project: Path, mutant: Mutant) -> str | None:
    """The first test that fails with the mutant; None where all pass."""
    path = project / mutant.path
    right = path.read_text(encoding="utf-8")
    path.write_text(mutant.text, encoding="utf-8")
    tests = [f"tests/{name}" for name in TESTS[mutant.path]]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", *tests]
    try:
        env = {**os.environ, "PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1"}
        ended = subprocess.run(
            command, cwd=project, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return "it hung"
    finally:
        path.write_text(right, encoding="utf-8")
    if ended.returncode == 0:
        return None
    failures = [line for line in ended.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return (failures or ended.stdout.splitlines()[-1:] or ["it ended at once"])[0][:140]


def chosen(number: int, seed: int) -> list[Mutant]:
    """So many mutants, of each module as many as of the others."""
    dice = random.Random(seed)
    left = {path: list(mutants_of(path)) for path in TESTS}
    for several in left.values():
        dice.shuffle(several)
    found: list[Mutant] = []
    while len(found) < number and any(left.values()):
        found += [several.pop() for several in left.values() if several]
    return found[:number]


def main() -> int:
    """Try mutants and print each; 1 where one was not noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--path", help="mutants of this module alone")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    mutants = chosen(10**6 if asked.path else asked.number, asked.seed)
    mutants = [each for each in mutants if asked.path in (None, each.path)]
    with tempfile.TemporaryDirectory() as name:
        projects: Queue[Path] = Queue()
        for number in range(asked.jobs):
            projects.put(project_in(Path(name) / str(number)))

        def attempt(mutant: Mutant) -> tuple[Mutant, str | None]:
            project = projects.get()
            try:
                return mutant, failed_in(project, mutant)
            finally:
                projects.put(project)

        survivors = 0
        with ThreadPoolExecutor(asked.jobs) as pool:
            for mutant, said in pool.map(attempt, mutants):
                survivors += said is None
                print(f"{'noticed ' if said else 'SURVIVED'} {mutant}" + (f"   [{said}]" if said else ""), flush=True)
    print(f"{len(mutants) - survivors} of {len(mutants)} noticed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
