"""Results as they are kept: bench/results/NAME.json, one for each case, with its figures, machine and date."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.case import Case, Figure, Result

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"


class NotAResult(Exception):
    """What was read is not the result of a case. The sentence says what it is instead."""


@dataclass(frozen=True)
class Kept:
    """The result of a case, with what was measured on, and when."""

    name: str
    date: str
    machine: dict[str, str]
    figures: list[Figure]
    result: Result


def keep(case: Case, date: str, machine: dict[str, str], result: Result, folder: Path = RESULTS) -> Kept:
    """Write a result in the place of the one before."""
    kept = Kept(case.name, date, machine, case.figures(result), result)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{case.name}.json").write_text(json.dumps(asdict(kept), indent=1) + "\n")
    return kept


def parse(name: str, text: str) -> Kept:
    """A result from the text of its file. Raises NotAResult."""
    try:
        found: dict[str, Any] = json.loads(text)
        figures = [Figure(**each) for each in found["figures"]]
        return Kept(found["name"], found["date"], found["machine"], figures, found["result"])
    except ValueError as error:
        raise NotAResult(f"{name}.json is not JSON ({error}).") from error
    except (KeyError, TypeError) as error:
        raise NotAResult(f"{name}.json is not a result of this bench: its figures can't be read ({error}).") from error


def read(name: str, folder: Path = RESULTS) -> Kept:
    """The result of a case in a folder. Raises NotAResult."""
    path = folder / f"{name}.json"
    if not path.is_file():
        raise NotAResult(f"{folder} has no result of {name}.")
    return parse(name, path.read_text())
