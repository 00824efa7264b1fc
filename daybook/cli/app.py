"""The command `daybook`: its subcommands, its exit codes, and one sentence on stderr for every error."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Sequence
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
from daybook.cli.lock import lock
from daybook.cli.positions import positions
from daybook.cli.replay import replay
from daybook.cli.report import report
from daybook.cli.retention import compact, prune
from daybook.cli.sandbox import sandbox
from daybook.cli.sql import sql
from daybook.cli.status import status
from daybook.cli.sync import sync
from pipelines.errors import USAGE, DaybookError

INTERRUPTED = 130

app = typer.Typer(
    name="daybook",
    help="End-of-day books for brokerage accounts: whole snapshots, correct daily P&L, honest gaps.",
    epilog="Exit codes: 0 complete; 1 failed; 2 usage or configuration; 3 finished, but INCOMPLETE.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (demo, eod, sync, build, report, sql, explore, status, lock, sandbox, dev, serve):
    app.command()(command)
for care in (replay, backfill, backup, restore, verify, doctor, compact, prune):
    app.command()(care)
for group in (positions, instructions):
    app.add_typer(group)


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
    try:
        code = get_command(app).main(args=arguments, prog_name="daybook", standalone_mode=False)
    except TyperException as error:
        console.complain(f"{error.format_message().rstrip('.')}: `daybook --help` says what there is.")
        return USAGE
    except DaybookError as error:
        console.complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:  # the last resort: a person gets a sentence, the log gets the rest
        console.complain(unexpected(error))
        return 1
    if code == INTERRUPTED:  # the library that reads arguments has caught Ctrl-C already
        console.complain("Interrupted.")
        _leave_threads(INTERRUPTED)
    return int(code or 0)


def _leave_threads(code: int) -> None:
    """Ends the process now where threads still wait for a broker: everything else has been closed by then."""
    if threading.active_count() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
