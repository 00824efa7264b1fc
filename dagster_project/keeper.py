"""Keeps programs running: one that ends is started again, after a pause that doubles while it keeps ending. So is one
that hangs: where it has not answered for long, it is killed.

It never gives up: a service that is tried again every minute is up when its cause is gone, and `daybook status` says
meanwhile what it does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from dagster_project.health import DEAF, ENDED, RUNNING, STARTING, ProgramHealth
from dagster_project.processes import Processes, Program

#: Seconds: the first pause, the longest one, and after how long a program has proved itself.
FIRST_PAUSE, LONGEST_PAUSE, PROVEN = 1.0, 60.0, 120.0
#: Seconds without an answer after which a program hangs. A busy machine and a slow start take a minute, not five.
HANGS = 300.0
#: Whether a program answers, asked of one that runs; None where that can't be told.
Answers = Callable[[], bool | None]


class Kept:
    """One program that is kept running."""

    def __init__(self, program: Program, answers: Answers, ready: Answers, now: Callable[[], float]) -> None:
        self._program, self._answers, self._ready, self._now = program, answers, ready, now
        self._failures, self._begun, self._due, self._heard = 0, 0.0, 0.0, 0.0
        self._is_up = self._was_killed = False
        self.health = ProgramHealth(program.name)

    def look(self, processes: Processes) -> str | None:
        """Start it where it is due; what there is to say of it, if anything."""
        if not self._is_up:
            return self._start(processes)
        code = processes.ended(self._program.name)
        if code is None:
            return None
        how = f"it did not answer for {HANGS:g} s and was killed" if self._was_killed else "it ended by itself"
        return self._ended(f"{how}, code {code}")

    def _start(self, processes: Processes) -> str | None:
        if self._now() < self._due or not self._ready():
            return None
        self._begun = self._heard = self._now()
        self._was_killed = False
        try:
            self.health.pid, self._is_up = processes.start(self._program), True
        except OSError as error:  # no memory, no process left: as if it had ended at once
            return self._ended(f"it could not be started, {error.strerror}")
        self.health.state, self.health.about = STARTING, ""
        return f"Dagster's {self._program.name} was started again." if self.health.restarts else None

    def _ended(self, how: str) -> str:
        self._failures = 1 if self._now() - self._begun >= PROVEN else self._failures + 1
        pause = min(FIRST_PAUSE * 2 ** (self._failures - 1), LONGEST_PAUSE)
        self._due, self._is_up = self._now() + pause, False
        self.health.restarts += 1
        self.health.pid, self.health.state = None, ENDED
        self.health.about = f"{how}; it is started again within {pause:g} s"
        return f"Dagster's {self._program.name}: {how}; it is started again in {pause:g} s."

    def ask(self, processes: Processes) -> None:
        """Ask it whether it answers; one that has not for long is killed."""
        if not self._is_up:
            return
        answer = self._answers()
        if answer is not False:
            self._heard = self._now()
        if answer:
            self.health.state, self.health.about = RUNNING, ""
        elif self.health.state == RUNNING:
            self.health.state, self.health.about = DEAF, "it runs, and does not answer"
        if self._now() - self._heard >= HANGS and not self._was_killed:
            processes.kill(self._program.name)
            self._was_killed = True


class Keeper:
    """Programs that are kept running, in their order: the later ones are started while the first one answers."""

    def __init__(
        self,
        processes: Processes,
        programs: Sequence[tuple[Program, Answers]],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._processes = processes
        _, first_answers = programs[0]
        readies: list[Answers] = [lambda: True, *[first_answers] * (len(programs) - 1)]
        self._kept = [
            Kept(program, answers, ready, now) for (program, answers), ready in zip(programs, readies, strict=True)
        ]

    @property
    def health(self) -> list[ProgramHealth]:
        """How each of them is."""
        return [each.health for each in self._kept]

    def look(self) -> list[str]:
        """Start what is due; what there is to say."""
        return [said for each in self._kept if (said := each.look(self._processes))]

    def ask(self) -> None:
        """Ask each of them whether it answers; what hangs is killed, and started again at the next looks."""
        for each in self._kept:
            each.ask(self._processes)
