"""What exists: every derived table, in the order of its making. A new table is one .sql file and one line here."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

HERE = Path(__file__).parent

Kind = Literal["kept", "whole", "days", "working", "ephemeral", "versions", "view"]

_COMMENT = re.compile(r"--[^\n]*")
_REASON = re.compile(r"select\n(.*) as reason\nfrom ", re.DOTALL)
_SOURCE = re.compile(r"\b(?:from|join)\s+((?:(?:raw|core|pnl|quality)\.)?[a-z][a-z_]*)\b(?!\.)")


@dataclass(frozen=True)
class Table:
    """A table and its select. Folder = schema, file = table.

    Kinds: `kept` is written by a command and only ever made, `whole` is small and made anew; `days` has its
    trading dates replaced; `working` is there for a build alone; `ephemeral` is a part of the selects that read it,
    where it stands as a CTE of its bare name, and is stored nowhere;
    `versions` gains a version of each row that changed (the name is the view of current ones); `view` is
    computed when asked.
    """

    name: str
    kind: Kind

    @property
    def schema(self) -> str:
        """The schema of its name."""
        return self.name.partition(".")[0]

    @property
    def bare(self) -> str:
        """Its name without the schema."""
        return self.name.partition(".")[2]

    @property
    def lasts(self) -> bool:
        """Whether it is there when a build is done, and so published."""
        return self.kind not in ("working", "ephemeral")

    @property
    def working(self) -> str:
        """Where a build has its rows: those of a working table, and those that versions are compared with."""
        return self.bare if self.kind == "working" else f"new_{self.bare}"

    @property
    def versions(self) -> str:
        """The table of every version of a row."""
        return f"{self.name}_version"

    @property
    def path(self) -> Path:
        """Where its .sql file lies."""
        return HERE / f"{self.name.replace('.', '/')}.sql"

    @cached_property
    def text(self) -> str:
        """The one select of the file, without the comment on top."""
        return select_of(self.path)

    @cached_property
    def reads(self) -> frozenset[str]:
        """The names after `from` and `join` in its file: tables, and CTEs of its own."""
        return frozenset(_SOURCE.findall(_COMMENT.sub("", self.text)))

    @cached_property
    def select(self) -> str:
        """The select of the file as it is run: after the ephemeral ones that it reads, which become its CTEs."""
        parts = [f"{part.bare} as (\n{part.text}\n)" for part in _ephemeral(self)]
        if not parts:
            return self.text
        own = self.text.removeprefix("with ")
        return "with " + ",\n\n".join(parts) + ("\n\n" if own == self.text else ",\n\n") + own

    @cached_property
    def reason(self) -> str:
        """Why a row has a new version: the one expression that reason/NAME.sql selects, over `fresh` and
        `current_version`."""
        found = _REASON.match(select_of(self.path.parent / "reason" / self.path.name))
        assert found, f"{self.name}: its reason is not `select ... as reason`"  # noqa: S101
        return found[1]

    @cached_property
    def description(self) -> str:
        """The comment on top of the file, as one paragraph."""
        lines = self.path.read_text(encoding="utf-8").splitlines()
        first = next(number for number, line in enumerate(lines) if not line.startswith("--"))
        return " ".join(line.removeprefix("--").strip() for line in lines[:first])


def select_of(path: Path) -> str:
    """What a .sql file says below the comment on top of it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next(number for number, line in enumerate(lines) if not line.startswith("--"))
    return "\n".join(lines[first:])


def _ephemeral(table: Table) -> list[Table]:
    """The ephemeral tables that a select needs, each after those that it reads itself."""
    found: dict[str, Table] = {}
    for part in (each for each in TABLES if each.kind == "ephemeral" and each.bare in table.reads):
        found |= {each.name: each for each in [*_ephemeral(part), part]}
    return list(found.values())


TABLES = (
    Table("core.period_lock", "kept"),
    Table("core.calendar", "whole"),
    Table("core.run", "days"),
    Table("core.snapshot_grade", "days"),
    Table("core.account_eod", "days"),
    Table("core.option_contract", "ephemeral"),
    Table("core.position_held", "ephemeral"),
    Table("core.position_priced", "ephemeral"),
    Table("core.position_eod", "days"),
    Table("core.trade_flow", "days"),
    Table("core.position_adjustment", "days"),
    Table("core.broker_day", "days"),
    Table("core.account_day", "ephemeral"),
    Table("core.position_before", "ephemeral"),
    Table("core.split_observed", "ephemeral"),
    Table("core.split_between", "ephemeral"),
    Table("core.trade_between", "ephemeral"),
    Table("core.adjustment_leg", "ephemeral"),
    Table("core.adjustment_effect", "ephemeral"),
    Table("core.possible_delivery", "ephemeral"),
    Table("core.seen_flat", "ephemeral"),
    Table("core.position_pair", "ephemeral"),
    Table("core.position_change", "working"),
    Table("core.option_gone", "ephemeral"),
    Table("core.accepted_instruction", "ephemeral"),
    Table("core.spent_instruction", "ephemeral"),
    Table("core.option_instructed", "ephemeral"),
    Table("core.stock_change", "ephemeral"),
    Table("core.underlying_price", "ephemeral"),
    Table("core.option_evidence", "ephemeral"),
    Table("core.delivery", "ephemeral"),
    Table("core.option_outcome", "ephemeral"),
    Table("core.option_event", "ephemeral"),
    Table("core.lifecycle_event", "days"),
    Table("pnl.event_leg", "ephemeral"),
    Table("pnl.event_effect", "ephemeral"),
    Table("pnl.dividend_income", "ephemeral"),
    Table("pnl.price_elsewhere", "ephemeral"),
    Table("pnl.position_step", "ephemeral"),
    Table("pnl.pnl_semantics", "ephemeral"),
    Table("pnl.pnl_source", "ephemeral"),
    Table("pnl.pnl_total", "ephemeral"),
    Table("pnl.position_daily", "versions"),
    Table("pnl.account_daily", "versions"),
    Table("core.expected_day", "days"),
    Table("core.instruction_history", "view"),
    Table("core.request_sent", "ephemeral"),
    Table("core.request_named", "ephemeral"),
    Table("core.trade_request", "view"),
    Table("pnl.prior_period_adjustment", "view"),
    Table("pnl.period_day", "ephemeral"),
    Table("pnl.period", "view"),
    Table("pnl.exposure_daily", "view"),
    Table("quality.position_checked", "ephemeral"),
    Table("quality.position_value_check", "ephemeral"),
    Table("quality.position_row_check", "ephemeral"),
    Table("quality.change_check", "ephemeral"),
    Table("quality.account_check", "ephemeral"),
    Table("quality.instruction_check", "ephemeral"),
    Table("quality.row_check", "working"),
    Table("quality.exact_position", "ephemeral"),
    Table("quality.restated_mark", "ephemeral"),
    Table("quality.position_invariant", "ephemeral"),
    Table("quality.account_invariant", "ephemeral"),
    Table("quality.day_invariant", "ephemeral"),
    Table("quality.invariant", "working"),
    Table("quality.finding", "days"),
    Table("quality.account_figure", "ephemeral"),
    Table("quality.comparison", "days"),
    Table("quality.gap", "view"),
    Table("quality.day", "view"),
    Table("quality.reconciliation", "view"),
    Table("quality.drift", "view"),
    Table("pnl.firm_daily", "view"),
    Table("pnl.group_daily", "view"),
)

#: What the selects call: rules that are one expression, as temporary macros of DuckDB.
FUNCTIONS = select_of(HERE / "functions.sql")

#: All selects as one fingerprint: what a warehouse remembers to know whether its tables are of this daybook.
SELECTS = hashlib.sha256(
    "\n".join([FUNCTIONS, *(f"{table.name} {table.kind} {table.select}" for table in TABLES)]).encode()
).hexdigest()
