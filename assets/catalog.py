"""What exists: every derived table, in the order of its making. A new table is one .sql file and one line here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

HERE = Path(__file__).parent

Kind = Literal["whole", "days", "working", "versions", "view"]


@dataclass(frozen=True)
class Table:
    """A table and its select. Folder = schema, file = table.

    Kinds: `whole` is small and made anew; `days` has its trading dates replaced; `working` is temporary within a build;
    `versions` gains a version of each row that changed (the name is the view of current ones); `view` is computed when asked.
    """

    name: str
    kind: Kind

    @property
    def path(self) -> Path:
        """Where its .sql file lies."""
        return HERE / f"{self.name.replace('.', '/')}.sql"

    @cached_property
    def select(self) -> str:
        """The one select of the file, without the comment on top."""
        lines = self.path.read_text(encoding="utf-8").splitlines()
        first = next(number for number, line in enumerate(lines) if not line.startswith("--"))
        return "\n".join(lines[first:])

    @cached_property
    def description(self) -> str:
        """The comment on top of the file, as one paragraph."""
        lines = self.path.read_text(encoding="utf-8").splitlines()
        first = next(number for number, line in enumerate(lines) if not line.startswith("--"))
        return " ".join(line.removeprefix("--").strip() for line in lines[:first])


TABLES = (
    Table("core.calendar", "whole"),
    Table("core.run", "days"),
    Table("core.snapshot_grade", "days"),
    Table("core.account_eod", "days"),
    Table("core.position_eod", "days"),
    Table("core.trade_flow", "days"),
    Table("core.position_adjustment", "days"),
    Table("core.broker_day", "days"),
    Table("core.position_change", "working"),
    Table("core.lifecycle_event", "days"),
    Table("pnl.position_daily", "versions"),
    Table("pnl.account_daily", "versions"),
    Table("core.expected_day", "days"),
    Table("core.instruction_history", "view"),
    Table("pnl.period", "view"),
    Table("pnl.exposure_daily", "view"),
    Table("quality.row_check", "working"),
    Table("quality.invariant", "working"),
    Table("quality.finding", "days"),
    Table("quality.comparison", "days"),
    Table("quality.gap", "view"),
    Table("quality.day", "view"),
    Table("quality.reconciliation", "view"),
    Table("quality.drift", "view"),
    Table("pnl.firm_daily", "view"),
    Table("pnl.group_daily", "view"),
)
