"""The benchmark: `python -m bench`. Every case in a process of its own; what it measured goes to bench/results and
docs/performance.md. A case that fails is named, the others run, and the exit code is 1."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import beside, compare
from bench.case import Result
from bench.cases import CASES, case, measure
from bench.report import DOCUMENT, PICTURE, amount, document, machine
from bench.result_files import NotAResult, keep, read
from bench.turns import ROUNDS


def _in_its_own_process(name: str, quick: bool, where: str | None) -> Result:  # noqa: FBT001
    with (
        TemporaryDirectory(prefix=f"bench-{name}-", dir=where) as folder,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
    ):
        return pool.submit(measure, name, Path(folder), quick).result()


def run(names: Sequence[str], *, quick: bool, where: str | None = None) -> list[str]:
    """Measure cases and print their results; the names of those that failed."""
    failed = []
    for name in names:
        print(f"{name}:", flush=True)
        date, on = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", machine()
        try:
            result = _in_its_own_process(name, quick, where)
            told = case(name)
            print(told.text(result), flush=True)
            for figure in told.figures(result):
                print(f"  {figure.name}: {amount(figure, figure.value)}", flush=True)
            if not quick:
                keep(told, date, on, result)
        except Exception:
            traceback.print_exc()
            failed.append(name)
    return failed


def write_document() -> None:
    """The page and its picture, from the results that are kept."""
    kept, sections = [], []
    for name in CASES:
        try:
            each = read(name)
        except NotAResult as why:
            print(f"{DOCUMENT.name} is without {name}: {why}", file=sys.stderr)
            continue
        told = case(name)
        kept.append(each)
        sections.append(told.text(each.result))
        if told.picture:
            PICTURE.write_text(told.picture(each.result))
    DOCUMENT.write_text(document(kept, sections))


def main() -> int:
    """What was asked for: 0 where all of it was measured, 1 where a case failed or something got slower."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").split(". ")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, some seconds a case; nothing is written")
    parser.add_argument("--only", action="append", choices=list(CASES), help="this case alone; may be given again")
    parser.add_argument("--rounds", type=int, help="how often a case runs what it compares; by itself it knows")
    parser.add_argument("--folder", help="where warehouses may lie: a year of 200,000 positions a day needs 40 GB")
    parser.add_argument(
        "--against",
        metavar="EARLIER",
        help="say what got slower than an earlier result; with --quick, than a revision, which is run beside this one",
    )
    parser.add_argument("--text", action="store_true", help="measure nothing, write the page from the results again")
    said = parser.parse_args()
    if said.rounds is not None:
        os.environ[ROUNDS] = str(said.rounds)
    if said.quick and said.against:
        return beside.main(said.against)
    failed = [] if said.text else run(said.only or list(CASES), quick=said.quick, where=said.folder)
    if not said.quick:
        write_document()
    slower = compare.main([said.against]) if said.against else 0
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else slower


if __name__ == "__main__":
    sys.exit(main())
