"""What `make test` says at its end of the lines and branches that ran."""

from __future__ import annotations

from collections import Counter

from tests.tools.coverage_summary import COUNTS, summary


def counts(*numbers: int) -> Counter[str]:
    return Counter(dict(zip(COUNTS, numbers, strict=True)))


def test_every_package_has_a_line_and_those_below_what_is_wanted_are_named() -> None:
    packages = {"models": counts(100, 99, 20, 20), "daybook/cli": counts(50, 45, 10, 8), "assets": counts(10, 10, 0, 0)}
    assert summary(packages) == [
        "  lines  branches  of",
        "  99.0 %   100.0 %  models",
        "  90.0 %    80.0 %  daybook/cli",
        " 100.0 %   100.0 %  assets",
        "  96.2 %    93.3 %  all",
        "below 90 %: daybook/cli",
    ]
