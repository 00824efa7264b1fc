"""What the mutants of SQL and of Python have in common: what one is, which are chosen, what was said of each."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Seconds after which the tests of a mutant that hangs are ended: that is noticed.
PATIENCE = 600


@dataclass(frozen=True)
class Mutant:
    """A file's text, changed in one place."""

    path: str
    line: int
    kind: str
    was: str
    becomes: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.kind}: {self.was}  ->  {self.becomes}"

    @property
    def key(self) -> str:
        """What tells it from every other mutant, and from itself once the file is another."""
        return hashlib.sha256(f"{self.path}\n{self.text}".encode()).hexdigest()[:16]


def chosen(places: Iterable[Mutant], number: int) -> list[Mutant]:
    """So many mutants, the same every time: of every file as many as of the others, and of every kind as far as there
    are any. Which of a file and a kind is left to a hash."""
    left: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in places:
        left[mutant.path].append(mutant)
    taken: Counter[str] = Counter()
    found: list[Mutant] = []
    while any(left.values()):
        for several in filter(None, left.values()):
            mutant = min(several, key=lambda each: (taken[each.kind], each.key))
            several.remove(mutant)
            taken[mutant.kind] += 1
            found.append(mutant)
    return found[:number]


class Results:
    """What noticed each mutant, in a file of one line each: a run that was ended goes on where it was.

    A mutant that one of the tests did not notice is noted with it: None where it was the last of them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.noticed_by: dict[str, str] = {}
        self.passed: dict[str, set[str]] = defaultdict(set)
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                self._keep(json.loads(line))

    def _keep(self, entry: dict[str, str]) -> None:
        if "noticed_by" in entry:
            self.noticed_by[entry["key"]] = entry["noticed_by"]
        else:
            self.passed[entry["key"]].add(entry["passed"])

    def noticed(self, mutant: Mutant, by: str) -> None:
        """Keep what noticed it."""
        print(f"noticed   {mutant}   [{by[:120]}]", flush=True)
        self._add({"key": mutant.key, "mutant": str(mutant), "noticed_by": by})

    def not_noticed(self, mutant: Mutant, by: str) -> None:
        """Keep what did not notice it."""
        self._add({"key": mutant.key, "passed": by})

    def _add(self, entry: dict[str, str]) -> None:
        self._keep(entry)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def table(title: str, places: Sequence[Mutant], ran: Sequence[Mutant], results: Results) -> str:
    """How many there are, were run, were killed and survived, by kind, and each survivor."""
    survivors = [each for each in ran if each.key not in results.noticed_by]
    there, run, left = (Counter(each.kind for each in several) for several in (places, ran, survivors))
    rows = [(kind, there[kind], run[kind], left[kind]) for kind in sorted(there)]
    rows.append(("all", there.total(), run.total(), left.total()))
    lines = [f"{title:<20} {'places':>7} {'run':>7} {'killed':>7} {'survived':>9}"]
    lines += [f"{kind:<20} {found:>7} {tried:>7} {tried - lived:>7} {lived:>9}" for kind, found, tried, lived in rows]
    return "\n".join([*lines, *(f"SURVIVED  {each}" for each in survivors)])


class ProjectCopy:
    """A copy of the project, as git knows its files, whose tests are run with a mutant in it: nothing here changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / ROOT.name
        self._sound: set[str] = set()
        self._forks: subprocess.Popen[str] | None = None
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
        ).stdout
        for name in filter(None, listed.decode().split("\0")):
            if (ROOT / name).is_file():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.folder / name)
        if (ROOT.parent / "shared").exists():  # the hand-checked books lie beside the project
            (folder / "shared").symlink_to(ROOT.parent / "shared")

    @contextmanager
    def holding(self, texts: Mapping[str, str]) -> Iterator[None]:
        """Have other texts in the place of some files for the block."""
        right = {path: (self.folder / path).read_bytes() for path in texts}
        try:
            for path, text in texts.items():
                (self.folder / path).write_text(text, encoding="utf-8")
            yield
        finally:
            for path, content in right.items():
                (self.folder / path).write_bytes(content)

    def told(self, test: str) -> str:
        """A test, and what tells it from what it was before: a changed one is asked again."""
        path = self.folder / test
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        return f"{test} {hashlib.sha256(b''.join(each.read_bytes() for each in files)).hexdigest()[:8]}"

    def failed_with(self, mutant: Mutant, tests: Sequence[str]) -> str | None:
        """The first test that fails with the mutant, and passes without it; None where all pass."""
        with self.holding({mutant.path: mutant.text}):
            failed = self.failed(tests)
        named = (failed or "").partition(" ")[2]
        if named and named not in self._sound and "::" in named:
            assert self.failed([named]) is None, f"{named} fails without a mutant"
            self._sound.add(named)
        return failed

    def failed(self, asked: Sequence[str]) -> str | None:
        """The first test that fails, of those that pytest is asked for; None where all pass."""
        printed = self.folder.parent / "printed.txt"
        known = "ignore::pytest.PytestAssertRewriteWarning"  # plugins were imported before pytest began
        arguments = ["-x", "-W", known, "-q", "-p", "no:cacheprovider", "--no-header", "--tb=no", *asked]
        said = {"folder": str(self.folder), "arguments": arguments, "printed": str(printed), "seconds": PATIENCE}
        ended = self._asked(json.dumps(said))
        if ended == "null":
            return f"unended within {PATIENCE} seconds"
        if ended in ("0", "5"):  # all passed, or there are none of these
            return None
        lines = printed.read_text(encoding="utf-8", errors="replace").splitlines()
        failed = [line.partition(" - ")[0] for line in lines if line.startswith(("FAILED", "ERROR"))]
        return (failed or [f"ended with {ended}: {' '.join(lines[-1:])}"])[0]

    def _asked(self, line: str) -> str:
        if self._forks is None:
            command = [sys.executable, "-P", str(ROOT / "tests" / "tools" / "pytest_forks.py")]
            self._forks = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._forks.stdin is not None
        assert self._forks.stdout is not None
        print(line, file=self._forks.stdin, flush=True)
        return self._forks.stdout.readline().strip()
