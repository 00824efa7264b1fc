"""What a day takes that is landed again from the archive: `replay`, and the build that follows it, a session after the
other into an empty home. The books have to be those that the evenings themselves made."""

from __future__ import annotations

from pathlib import Path

from bench.case import Case, Figure, Result
from bench.load import replayed
from bench.report import prose


def measure(folder: Path, quick: bool) -> Result:  # noqa: FBT001
    """Sessions of a small book, each closed as an evening first."""
    sessions, accounts, positions = (3, 2, 50) if quick else (40, 4, 100)
    return replayed(folder, sessions, accounts, positions)


def text(result: Result) -> str:
    """The section of docs/performance.md."""
    return "\n".join(
        [
            "## Replay",
            "",
            *prose(
                f"{result['sessions']} sessions of {result['accounts']} accounts with {result['positions']} positions "
                f"each, landed again from their archive and built, one after the other in one process: "
                f"{result['seconds']:.1f} s, {_of_a_day(result):.2f} s a day. The books were those of the evenings."
            ),
        ]
    )


def _of_a_day(result: Result) -> float:
    seconds: float = result["seconds"] / result["sessions"]
    return seconds


def figures(result: Result) -> list[Figure]:
    """Seconds of a day."""
    return [
        Figure("a replayed day", _of_a_day(result), 0.7, unit="s"),
        Figure("a replayed day, CPU", result["cpu"] / result["sessions"], unit="s"),
    ]


CASE = Case("replay", measure, text, figures)
