"""What a case of the benchmark is: something measured in a folder, told in a section, and held against targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Result = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """One number that is watched from run to run: ratios within one run, for seconds are of one machine.

    `target` is the worst value that is good enough, None where there is none. `more_is_better` says which way is worse.
    `noise` is how much worse, as a ratio, a later run may be before it counts as slower. `unit` is "x" for a ratio;
    what has another is compared with runs of the same machine alone.
    """

    name: str
    value: float
    target: float | None = None
    more_is_better: bool = False
    noise: float = 1.15
    unit: str = "x"

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        return self.value >= self.target if self.more_is_better else self.value <= self.target


@dataclass(frozen=True)
class Case:
    """`measure` works in an empty folder, `quick` at a small size, and gives what JSON can hold; every run of it is
    checked for what it made, not only for how long it took. It has a process of its own. `text` is its section of
    docs/performance.md, `figures` what is compared with an earlier result, `picture` an SVG beside that page."""

    name: str
    measure: Callable[[Path, bool], Result]
    text: Callable[[Result], str]
    figures: Callable[[Result], list[Figure]]
    picture: Callable[[Result], str] | None = None
