"""What the four commands that trade have in common: show, ask, send once, say what came of it."""

from __future__ import annotations

import sys
import termios
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from daybook.cli import console
from daybook.cli.options import seconds
from pipelines.errors import USAGE, ConfigurationError

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.trading.changes import Changed
    from pipelines.trading.effects import Effect
    from pipelines.trading.journal import Record
    from pipelines.trading.preview import Cancelling, Closing, Preview
    from pipelines.trading.proposals import Proposal
    from pipelines.trading.requests import TradeRequest
    from pipelines.trading.send import Trade

#: How often a person is asked about a book that changes while they look at it.
QUESTIONS = 3

Account = Annotated[str, typer.Option("--account", metavar="ID", help="The account, by its id.")]
Yes = Annotated[
    bool,
    typer.Option("--yes", help="Don't ask; send only what is shown. Without a terminal nothing is sent without it."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be sent and what it would do; send nothing.")]
CancelOrders = Annotated[
    bool | None,
    typer.Option(
        "--cancel-orders/--no-cancel-orders",
        help="Whether open orders in these positions are cancelled first; left to the broker where neither is given.",
    ),
]
Timeout = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", parser=seconds(0.1), help="How long to wait for the answer before its outcome is unknown."
    ),
]
Wait = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", parser=seconds(0), help="How long to wait for the books; the answer is kept meanwhile."
    ),
]


@dataclass(frozen=True)
class Manner:
    """The options of a command that trades."""

    yes: bool
    dry_run: bool
    json: bool
    timeout: float
    wait: float


class Terminal:
    """The desk of a person: shows what would happen, asks for `word`, and shows anew what has changed meanwhile.

    A person is asked `QUESTIONS` times in all; with --yes a change is the end."""

    caller = "command line"
    on_progress = staticmethod(console.show_event)

    def __init__(self, manner: Manner, word: str) -> None:
        self.timeout, self.wait = manner.timeout, manner.wait
        self._manner, self._word = manner, word
        self._questions = QUESTIONS
        self._exit_code = 0

    def open(self, settings: Settings) -> None:  # noqa: ARG002  (where there is a terminal, nothing is left to be allowed)
        """Raises ConfigurationError where nobody could be asked and nobody has said --yes."""
        if not (self._manner.yes or self._manner.dry_run or sys.stdin.isatty()):
            raise ConfigurationError(
                "There is no terminal to confirm this on, so nothing was sent: add --yes to trade, --dry-run to look."
            )

    def agrees(self, shown: Proposal) -> bool:
        """Shows it, and asks, unless --yes has answered."""
        _show(shown.preview, to_stdout=self._manner.dry_run and not self._manner.json)
        if self._manner.dry_run or not shown.preview.lines:
            _show_unsent(shown.request, shown.preview, self._manner)
            self._exit_code = 0 if self._questions == QUESTIONS else USAGE  # what was confirmed is gone, and not by us
            return False
        if not self._manner.yes and not _confirmed(shown.request, self._word):
            console.notice("Nothing was sent.")
            self._exit_code = USAGE
            return False
        return True

    def hear(self, changed: Changed) -> None:
        """Raises it where nobody is asked again."""
        if self._manner.yes or self._questions == 1:
            raise changed
        console.notice(f"Nothing was sent, for this has changed since it was shown: {changed.what}. Now it is so:")
        self._questions -= 1

    def conclude(self, done: Trade | None) -> int:
        """Says what came of it; the exit code."""
        if done is None:
            return self._exit_code
        _report(done, as_json=self._manner.json)
        return done.exit_code


def _confirmed(request: TradeRequest, word: str) -> bool:
    """Whether the person has typed the word. The question goes to stderr: stdout is the result's."""
    termios.tcflush(sys.stdin, termios.TCIFLUSH)  # what was typed before the question is no answer to it
    question = f"To send {request.method} {request.path}, type {word}: "
    print(console.printable(question), end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == word


def _show(preview: Preview, *, to_stdout: bool) -> None:
    table = _TABLES[type(preview.lines[0]).__name__](preview.lines) if preview.lines else None
    if table is not None:
        console.show(table, stderr=not to_stdout)
    for warning in preview.warnings:
        console.notice(f"Note: {warning}")


def _show_unsent(request: TradeRequest, preview: Preview, manner: Manner) -> None:
    if manner.json:
        console.show_json(
            {"sent": False, **_asked(request), "preview": preview.as_json(), "warnings": preview.warnings}
        )
    elif preview.lines:
        body = request.body.decode()
        console.say(console.printable(f"Would send: {request.method} {request.path}" + (f" {body}" if body else "")))
    else:
        console.say("Nothing was sent.")


def _report(done: Trade, *, as_json: bool) -> None:
    for note in done.notes:
        console.notice(note)
    if as_json:
        console.show_json(as_document(done))
    elif done.answer:
        _show_answer(done)
    if done.outcome != "DONE":
        console.complain(done.sentence)
    elif not as_json:
        console.say(done.sentence, "green")
    if done.outcome == "UNKNOWN":
        console.notice("To find out: " + "; then ".join(done.find_out()))


def as_document(done: Trade) -> dict[str, Any]:
    """A trade as JSON-ready values, for --json."""
    answer = done.answer
    return {
        "sent": True,
        **_asked(done.record),
        "outcome": done.outcome,
        "exit_code": done.exit_code,
        "sentence": done.sentence,
        "http_status": answer.status if answer else None,
        "request_id": done.record.request_id,
        "run_id": done.record.run_id,
        "landed": done.landed,
        "orders": answer.orders if answer else [],
        "instructions": done.instructions,
        "rejections": [_as_dict(each) for each in answer.rejections] if answer else [],
        "unreadable": [_as_dict(each) for each in answer.unreadable] if answer else [],
        "not_echoed": answer.not_echoed if answer else [],
        "notes": done.notes,
        "find_out": done.find_out() if done.outcome == "UNKNOWN" else [],
    }


def _asked(request: TradeRequest | Record) -> dict[str, Any]:
    import orjson

    return {
        "operation": request.operation,
        "account_id": request.account_id,
        "request": {
            "method": request.method,
            "path": request.path,
            "body": orjson.loads(request.body) if request.body else None,
        },
    }


def _as_dict(each: Any) -> dict[str, Any]:
    return {name: getattr(each, name) for name in each.__dataclass_fields__}


def _show_answer(done: Trade) -> None:
    answer = done.answer
    assert answer is not None  # noqa: S101  (the caller has looked)
    if answer.orders:
        console.show(_orders(answer.orders))
    if done.instructions:
        console.show(instructions_table(done.instructions))
    for each in answer.rejections:
        code = f" [{each.reason}]" if each.reason else ""
        console.say(console.printable(f"Row {each.row} was rejected: {each.description}{code}"), "red")
    for row in answer.unreadable:
        console.say(console.printable(f"A row could not be read ({row.reason}): {row.text}"), "yellow")
    for problem in answer.problems:
        console.notice(f"Note: {problem.message}.")
    for key in answer.not_echoed:
        console.notice(f"Note: the answer doesn't repeat the key {key!r}: look for it in `daybook instructions list`.")
    if done.record.operation.startswith("close") and not answer.orders and done.outcome == "DONE":
        console.say("The broker made no order.")


def _orders(rows: Sequence[dict[str, Any]]) -> Table:
    table = console.table(
        "Orders", "symbol", "side", "quantity", "filled", "type", "status", "id", numbers=("quantity", "filled")
    )
    for row in rows:
        numbers = [console.quantity(_decimal(row.get(name))) for name in ("quantity", "filled_quantity")]
        texts = [_text(row.get(name)) for name in ("symbol", "side", "order_type", "status", "id")]
        table.add_row(*texts[:2], *numbers, *texts[2:])
    return table


def instructions_table(rows: Sequence[dict[str, Any]], *, reasons: bool = False) -> Table:
    """Instructions as the broker states them; `reasons`: with its words on those that failed, where there are any."""
    told = reasons and any(row.get("rejection_reason") for row in rows)
    names = ("type", "symbol", "contracts", "accepted", "status", *(["reason"] if told else []), "key", "id")
    table = console.table("Instructions", *names, numbers=("contracts", "accepted"))
    for row in rows:
        accepted = row.get("accepted_quantity")
        table.add_row(
            _text(row["instruction_type"]),
            _text(row.get("symbol")),
            console.quantity(_decimal(row["quantity"])),
            console.quantity(_decimal(accepted)) if accepted is not None else Text(""),
            _text(row["status"]),
            *([_text(row.get("rejection_reason"))] if told else []),
            _text(row.get("client_instruction_id")),
            _text(row["id"]),
        )
    return table


def _closing(lines: Sequence[Closing]) -> Table:
    names = ("symbol", "quantity", "free", "order", "market value", "instrument")
    table = console.table("Would be closed", *names, numbers=("quantity", "free", "market value"))
    for line in lines:
        table.add_row(
            _text(line.symbol),
            console.quantity(line.quantity),
            console.quantity(line.available),
            _text(line.side),
            console.money(line.market_value),
            _text(line.instrument_id),
        )
    return table


def _effects(lines: Sequence[Effect]) -> Table:
    numbers = ("contracts", "held", "shares", "strike cash", "underlying at", "a share", "in all")
    table = console.table("Would be instructed", "instruction", "symbol", *numbers, numbers=numbers)
    for line in lines:
        table.add_row(
            _text(line.instruction_type),
            _text(line.symbol),
            console.quantity(line.contracts),
            console.quantity(line.held) if line.held is not None else Text("none"),
            console.quantity(line.shares),
            *(console.money(each) for each in (line.strike_cash, line.price, line.moneyness, line.worth)),
        )
    return table


def _cancelling(lines: Sequence[Cancelling]) -> Table:
    table = console.table(
        "Would be cancelled", "instruction", "symbol", "contracts", "status", "key", "id", numbers=("contracts",)
    )
    for line in lines:
        table.add_row(
            _text(line.instruction_type),
            _text(line.symbol),
            console.quantity(line.contracts),
            _text(line.status),
            _text(line.key),
            _text(line.id),
        )
    return table


def _text(value: Any) -> Text:
    return Text("" if value is None else console.printable(value))


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


_TABLES: dict[str, Callable[[Any], Table]] = {"Closing": _closing, "Effect": _effects, "Cancelling": _cancelling}
