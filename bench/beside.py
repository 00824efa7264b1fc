"""What got slower than at an earlier revision: `python -m bench --quick --against REVISION`.

The revision is checked out beside this one, and both are asked to do the same evenings by their command line, in turn:
what they have in common is what they promise to people, not their modules. What counts is the CPU seconds of each
command, its own children included. A command got slower where its slowest round was cheaper before than its cheapest
is now, and by more than a fiftieth: noise is what rounds of the same thing differ by.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.history import SESSIONS
from bench.landing import broker
from bench.turns import rounds, run_timed

ROOT = Path(__file__).parents[1]
#: Accounts, and positions of each: an evening that is all overhead, and one that is half work.
SIZES = {"10 positions": (2, 5), "5,000 positions": (5, 1_000)}
#: What an evening is made of, and what people ask of it afterwards.
COMMANDS = {
    "daybook sync": ("sync",),
    "daybook build": ("build",),
    "daybook report": ("report",),
    "daybook sql": ("sql", "select sum(total_pnl) from pnl.account_daily"),
    "daybook status": ("status",),
    "daybook eod": ("eod",),
}
#: A difference of less than this is nobody's concern.
LEAST = 1.02
#: Of one round alone nothing tells its noise: rounds of the same thing have differed by up to this ratio.
ONE_ROUND = 1.15
Seconds = dict[str, list[float]]


class NoSuchRevision(Exception):
    """The revision can't be had here. The sentence says why."""


@dataclass(frozen=True)
class Compared:
    """A command in one size of book: CPU seconds of each round, before and now."""

    name: str
    before: Sequence[float]
    now: Sequence[float]

    @property
    def ratio(self) -> float:
        """How many times as long it takes now, by the medians."""
        return median(self.now) / median(self.before)

    @property
    def noise(self) -> float:
        """By which ratio rounds of the same thing differ, at most; of one round, what they have differed by."""
        if len(self.now) == 1:
            return ONE_ROUND
        return max(max(self.before) / min(self.before), max(self.now) / min(self.now))

    @property
    def verdict(self) -> str:
        """Whether it got slower or faster, beyond what rounds of the same thing differ by."""
        least = ONE_ROUND if len(self.now) == 1 else LEAST
        if min(self.now) > max(self.before) and self.ratio > least:
            return "slower"
        return "faster" if min(self.before) > max(self.now) and self.ratio < 1 / least else "same"


@contextmanager
def checked_out(revision: str, checkout: Path = ROOT) -> Iterator[Path]:
    """A folder with the tree of a revision, for the block. Raises NoSuchRevision."""
    with TemporaryDirectory(prefix="bench-earlier-") as folder:
        tree = Path(folder) / "tree"
        made = _git(checkout, "worktree", "add", "--quiet", "--detach", str(tree), revision)
        if made.returncode:
            raise NoSuchRevision(f"{revision} can't be checked out here ({made.stderr.strip().splitlines()[-1]}).")
        try:
            yield tree
        finally:
            _git(checkout, "worktree", "remove", "--force", str(tree))


def _git(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(checkout), *words], capture_output=True, text=True, check=False)


def compare(earlier: Path, now: Path, folder: Path) -> Iterator[Compared]:
    """Both trees do the same evenings, each in a home of its own in `folder`; every command of every size."""
    trees = {"before": earlier, "now": now}
    for size, (accounts, positions) in SIZES.items():
        spent: dict[str, Seconds] = {name: defaultdict(list) for name in trees}
        for number in range(1 + rounds(3)):  # the first evening makes what the others find
            with broker(accounts, positions, SESSIONS[number]) as (url, _):
                for name in list(trees)[:: 1 if number % 2 else -1]:
                    home = folder / f"{positions}-{name}"
                    for command, seconds in _evening(trees[name], home, url):
                        if number:
                            spent[name][command].append(seconds)
        for command in COMMANDS:
            yield Compared(f"{command}, {size}", spent["before"][command], spent["now"][command])


def _evening(tree: Path, home: Path, url: str) -> Iterator[tuple[str, float]]:
    for command, words in COMMANDS.items():
        # -P: not the folder that this was started in, but the tree alone
        run, _ = run_timed([sys.executable, "-P", "-m", "daybook", *words], _environment(tree, home, url))
        yield command, run["cpu"]


def _environment(tree: Path, home: Path, url: str) -> Mapping[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(tree),
        "DAYBOOK_HOME": str(home),
        "CLEAR_STREET_BASE_URL": url,
    }


def main(revision: str) -> int:
    """Print what every command takes now and took at a revision: 0 where nothing got slower, 1 where something did, 2
    where that can't be said."""
    try:
        with checked_out(revision) as earlier, TemporaryDirectory(prefix="bench-beside-") as folder:
            print(f"{'CPU seconds':<36}  {'before':>7}  {'now':>7}  {'ratio':>6}  {'noise':>6}", flush=True)
            slower = False
            for each in compare(earlier, ROOT, Path(folder)):
                print(
                    f"{each.name:<36}  {median(each.before):>7.2f}  {median(each.now):>7.2f}  "
                    f"{each.ratio:>5.2f}x  {each.noise:>5.2f}x  {each.verdict}",
                    flush=True,
                )
                slower |= each.verdict == "slower"
    except NoSuchRevision as why:
        print(why, file=sys.stderr)
        return 2
    except RuntimeError as why:  # a command of one of the two failed
        print(f"The two can't be compared: {why}", file=sys.stderr)
        return 2
    return 1 if slower else 0
