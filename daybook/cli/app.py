"""The command `daybook`: its subcommands, its exit codes, and one sentence on stderr for every error."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException
from typer.main import get_command

from daybook.cli import console
from daybook.cli.backfill import backfill
from daybook.cli.backup import backup, restore, verify
from daybook.cli.build import build
from daybook.cli.demo import demo
from daybook.cli.dev import dev, serve
from daybook.cli.doctor import doctor
from daybook.cli.eod import eod
from daybook.cli.explore import explore
from daybook.cli.failure import unexpected
from daybook.cli.instructions import instructions
from daybook.cli.lake import lake
from daybook.cli.lock import lock
from daybook.cli.positions import positions
from daybook.cli.replay import replay
from daybook.cli.report import report
from daybook.cli.retention import compact, prune
from daybook.cli.sandbox import sandbox
from daybook.cli.sql import SqlCommand, sql
from daybook.cli.status import status
from daybook.cli.sync import sync
from daybook.cli.worker import worker
from pipelines.errors import FAILED, USAGE, DaybookError

INTERRUPTED = 130

app = typer.Typer(
    name="daybook",
    help="End-of-day books for brokerage accounts: whole snapshots, correct daily P&L, honest gaps.",
    epilog="Exit codes: 0 complete; 1 failed; 2 usage or configuration; 3 finished, but INCOMPLETE.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _first_line(command: Callable[..., int]) -> str:
    """What the list of commands says of one: all of it, on as many lines as it takes."""
    return (command.__doc__ or "").partition("\n")[0]


for command in (demo, eod, sync, build, report, sql, explore, status, lock, sandbox, dev, serve, worker):
    app.command(cls=SqlCommand if command is sql else None, short_help=_first_line(command))(command)
for care in (replay, backfill, backup, restore, verify, doctor, compact, prune):
    app.command(short_help=_first_line(care))(care)
for group in (positions, instructions, lake):
    app.add_typer(group, short_help=str(group.info.help))


@app.callback(invoke_without_command=True)
def _daybook(
    context: typer.Context,
    *,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if show_version:
        from pipelines.settings import code_version

        console.say(code_version())
    elif context.invoked_subcommand is None:
        console.say(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Prints errors in one sentence and never raises."""
    os.umask(0o077)  # whatever a command writes, and whatever it starts: for this user alone
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # what libraries tell programmers is no news to those who type commands
    with console.log_shown():
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    as_json = "--json" in (sys.argv[1:] if arguments is None else arguments)
    try:
        code = get_command(app).main(args=arguments, prog_name="daybook", standalone_mode=False)
    except TyperException as error:
        return console.fail(_of_usage(error), USAGE, as_json=as_json)
    except DaybookError as error:
        return console.fail(str(error), error.exit_code, as_json=as_json)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:  # the last resort: a person gets a sentence, the log gets the rest
        return console.fail(unexpected(error), FAILED, as_json=as_json)
    if code == INTERRUPTED:  # the library that reads arguments has caught Ctrl-C already
        console.fail("Interrupted.", INTERRUPTED, as_json=as_json)
        _leave_threads(INTERRUPTED)
    return int(code or 0)


def _of_usage(error: TyperException) -> str:
    """What is wrong with the arguments, and which help has what is right: that of the command they are for."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "daybook"
    return f"{error.format_message().rstrip('.')}: `{command} --help` says what there is."


def _leave_threads(code: int) -> None:
    """Ends the process now where threads still wait for a broker: everything else has been closed by then."""
    if threading.active_count() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
