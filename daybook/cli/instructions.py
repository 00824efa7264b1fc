"""`daybook instructions`: list what was asked of option positions, submit more, cancel one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daybook.cli import console
from daybook.cli.options import AsJson
from daybook.cli.positions import counted, finish
from daybook.cli.trading import Account, DryRun, Manner, Terminal, Timeout, Wait, Yes, instructions_table
from pipelines.errors import FAILED, ConfigurationError

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.trading.batch import Wanted

instructions = typer.Typer(
    name="instructions",
    help="Exercise instructions: list them, submit some, cancel one.",
    rich_markup_mode=None,
)


@instructions.callback(invoke_without_command=True)
def _instructions(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        console.say(context.get_help())


AnyInstrument = Annotated[
    str | None, typer.Option("--instrument", metavar="I", help="This contract alone: its UUID, or its symbol.")
]
Kind = Annotated[
    str | None, typer.Option("--type", metavar="T", help="EXERCISE, DO_NOT_EXERCISE or CONTRARY_EXERCISE.")
]
Contract = Annotated[
    str | None,
    typer.Option("--instrument", metavar="I", help="The contract: its UUID, or the symbol of one that is held."),
]
Quantity = Annotated[str | None, typer.Option("--quantity", metavar="N", help="How many contracts.")]
Key = Annotated[
    str | None, typer.Option("--key", metavar="KEY", help="Your idempotency key; one is made where it isn't given.")
]
Batch = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="A batch instead, .json or CSV, under the broker's own names."),
]
InstructionId = Annotated[
    str, typer.Option("--id", metavar="ID", help="The broker's id of the instruction, not your key.")
]


@instructions.command("list", short_help="What was instructed, and its state now.")
def list_instructions(*, account: Account, instrument: AnyInstrument = None, json: AsJson = False) -> int:
    """List an account's instructions as the broker states them now. Nothing is landed.

    Rows that were rejected before they were accepted are in no list of the broker's: `daybook sql` finds them in
    raw.position_instructions.

    \b
    Examples:
      daybook instructions list --account 19816
      daybook instructions list --account 19816 --json
    """
    from pipelines.broker.client import BrokerClient
    from pipelines.settings import Settings
    from pipelines.trading.held import rows_of
    from pipelines.trading.requests import checked_account

    settings = Settings.from_env()
    with BrokerClient.of(settings) as client:
        read = client.instructions(checked_account(account))
    rows = rows_of(read)
    if instrument is not None:
        named = instrument.replace(" ", "").upper()
        rows = [
            row for row in rows if named in (row["instrument_id"].upper(), (row.get("symbol") or "").replace(" ", ""))
        ]
    if not (rows or read.complete):
        return console.fail(str(read.error), FAILED, as_json=json)  # not known is not the same as nothing being there
    if json:
        console.show_json(rows)
    else:
        if rows:
            console.show(instructions_table(rows, reasons=True))
        console.say(counted(len(rows), "instruction"))
    return finish(read)


@instructions.command("submit", short_help="Submit one instruction, or a batch.")
def submit(
    *,
    account: Account,
    kind: Kind = None,
    instrument: Contract = None,
    quantity: Quantity = None,
    key: Key = None,
    file: Batch = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    timeout: Timeout = 60.0,
    wait: Wait = 10.0,
    json: AsJson = False,
) -> int:
    """Submit instructions: shows what each would do at today's price, asks, sends one request, once.

    The key goes out as client_instruction_id and is written down before. A batch has the columns instruction_type,
    instrument_id, quantity and, if you like, client_instruction_id. Asks for the word submit; where what is held or
    instructed has changed by then, it is shown and asked about anew. Exit codes: 0 done, 1 rejected, 2 answered no or
    changed meanwhile, 3 partial or unknown.

    \b
    Examples:
      daybook instructions submit --account 19816 --type EXERCISE --instrument "AAPL  251219C00140000" --quantity 2
      daybook instructions submit --account 19816 --file batch.csv --dry-run
    """
    from pipelines.settings import Settings
    from pipelines.trading import operations
    from pipelines.trading.batch import read_batch

    wanted = _wanted(file, kind, instrument, quantity, key) or read_batch(file or Path())
    desk = Terminal(Manner(yes, dry_run, json, timeout, wait), word="submit")
    return desk.conclude(operations.submit(Settings.from_env(), desk, account, wanted))


@instructions.command("cancel", short_help="Cancel one instruction.")
def cancel(
    *,
    account: Account,
    instruction_id: InstructionId,
    yes: Yes = False,
    dry_run: DryRun = False,
    timeout: Timeout = 60.0,
    wait: Wait = 10.0,
    json: AsJson = False,
) -> int:
    """Cancel an instruction: shows it, asks for the word cancel, sends one request, once.

    The answer says CANCEL_REQUESTED; whether it was in time, `daybook instructions list` shows later. An instruction
    that has changed since it was shown is asked about anew. Exit codes: 0 done, 1 rejected, 2 answered no or changed
    meanwhile, 3 partial or unknown.

    \b
    Examples:
      daybook instructions cancel --account 19816 --id 0195f6d0-a1b2-7c3d-8e4f-5a6b7c8d9e02
    """
    from pipelines.settings import Settings
    from pipelines.trading import operations

    desk = Terminal(Manner(yes, dry_run, json, timeout, wait), word="cancel")
    return desk.conclude(operations.cancel(Settings.from_env(), desk, account, instruction_id))


def _settings_for(account: str) -> Settings:
    """Raises ConfigurationError for what is no account, or one that DAYBOOK_ACCOUNTS leaves out."""
    from pipelines.settings import Settings
    from pipelines.trading.requests import checked_account
    from pipelines.trading.send import refuse_other_accounts

    settings = Settings.from_env()
    refuse_other_accounts(settings, checked_account(account))
    return settings


def _wanted(
    file: Path | None, kind: str | None, instrument: str | None, quantity: str | None, key: str | None
) -> list[Wanted] | None:
    """The one instruction of the options; None where a file is named instead. Raises ConfigurationError."""
    options = {"--type": kind, "--instrument": instrument, "--quantity": quantity, "--key": key}
    given = [name for name, value in options.items() if value is not None]
    if file is not None and given:
        raise ConfigurationError(f"{given[0]} and --file exclude each other: a batch names everything itself.")
    if file is not None:
        return None
    missing = [name for name in ("--type", "--instrument", "--quantity") if options[name] is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise ConfigurationError(f"{', '.join(missing)} {verb} missing: name the instruction, or a batch with --file.")
    from pipelines.trading.batch import Wanted

    row = {"instruction_type": str(kind), "instrument_id": str(instrument), "quantity": str(quantity)}
    return [Wanted(row | ({"client_instruction_id": key} if key is not None else {}))]
