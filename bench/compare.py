"""What got slower: `python -m bench.compare EARLIER [LATER]`, each a folder of results or a git revision.

Figures are ratios within one run, so they can be compared across machines; those with a unit of their own only between
runs of the same one. Exit codes: 0 nothing got slower, 1 something did, 2 that can't be said.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.case import Figure
from bench.cases import CASES
from bench.report import amount
from bench.result_files import RESULTS, ROOT, Kept, NotAResult, parse, read

SAME_MACHINE = ("cpus", "cpu", "memory")
SLOWER, FASTER, SAME = "slower", "faster", "same"
Reader = Callable[[str], Kept]


class NotComparable(Exception):
    """What was asked for can't be compared. The sentence says why."""


@dataclass(frozen=True)
class Line:
    """A figure then and now, and what is to be said of it."""

    figure: str
    then: str
    now: str
    ratio: str
    verdict: str


def verdict(then: Figure, now: Figure) -> str:
    """Whether a figure got slower, by more than the noise that it is known to have."""
    better, worse = (then.value, now.value) if now.more_is_better else (now.value, then.value)
    if better > worse * now.noise:
        return SLOWER
    return FASTER if worse > better * now.noise else SAME


def compare_case(then: Kept, now: Kept) -> Iterator[Line]:
    """Every figure of a case: those that both have, those that are new, those that vanished."""
    alike = all(then.machine.get(name) == now.machine.get(name) for name in SAME_MACHINE)
    before = {figure.name: figure for figure in then.figures}
    for figure in now.figures:
        was = before.pop(figure.name, None)
        if was is None:
            yield Line(f"{now.name}: {figure.name}", "", amount(figure, figure.value), "", "new")
        else:
            yield _line(now.name, was, figure, alike=alike)
    for name, was in before.items():
        yield Line(f"{now.name}: {name}", amount(was, was.value), "", "", "vanished")


def _line(case: str, then: Figure, now: Figure, *, alike: bool) -> Line:
    ratio = f"{now.value / then.value:.2f}" if then.value else ""
    said = verdict(then, now) if alike or now.unit == "x" else "of another machine"
    return Line(f"{case}: {now.name}", amount(then, then.value), amount(now, now.value), ratio, said)


def reader(where: str, checkout: Path = ROOT) -> Reader:
    """Reads results from a folder, else from a git revision. Raises NotComparable where it is neither."""
    if Path(where).is_dir():
        return lambda name: read(name, Path(where))
    if _git(checkout, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{where}^{{commit}}") is None:
        raise NotComparable(f"{where} is neither a folder of results nor a revision that git knows here.")
    return lambda name: _from_git(checkout, where, name)


def _from_git(checkout: Path, revision: str, name: str) -> Kept:
    text = _git(checkout, "show", f"{revision}:bench/results/{name}.json")
    if text is None:
        raise NotAResult(f"{revision} has no result of {name}.")
    return parse(name, text)


def _git(checkout: Path, *words: str) -> str | None:
    done = subprocess.run(["git", "-C", str(checkout), *words], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def lines(then: Reader, now: Reader, names: Sequence[str] = ()) -> list[Line]:
    """Every figure of these cases, which must be there; without any, of all that both have. Raises NotComparable."""
    found: list[Line] = []
    for name in names or CASES:
        try:
            found += compare_case(then(name), now(name))
        except NotAResult as why:
            if names:
                raise NotComparable(str(why)) from why
            print(f"{name} is not compared: {why}", file=sys.stderr)
    if not found:
        raise NotComparable("There is nothing to compare: no case has a result in both.")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare two results and print what got slower; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=(__doc__ or "").split(":")[0])
    parser.add_argument("earlier", help="a folder of results, or a git revision")
    parser.add_argument("later", nargs="?", default=str(RESULTS), help="the same; bench/results by itself")
    parser.add_argument(
        "--only", action="append", choices=list(CASES), default=[], help="this case; may be given again"
    )
    said = parser.parse_args(arguments)
    try:
        found = lines(reader(said.earlier), reader(said.later), said.only)
    except NotComparable as why:
        print(why, file=sys.stderr)
        return 2
    wide = max(len(line.figure) for line in found)
    print(f"{'':<{wide}}  {'earlier':>10}  {'now':>10}  {'ratio':>6}")
    for line in found:
        print(f"{line.figure:<{wide}}  {line.then:>10}  {line.now:>10}  {line.ratio:>6}  {line.verdict}")
    return 1 if any(line.verdict == SLOWER for line in found) else 0


if __name__ == "__main__":
    sys.exit(main())
