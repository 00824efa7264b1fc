"""The four proposals: a request together with what it would do, both from one fresh read of the broker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from pipelines.broker.client import BrokerClient
from pipelines.broker.http import Http
from pipelines.errors import ConfigurationError
from pipelines.settings import Settings
from pipelines.trading.batch import Wanted, checked_instruction, with_keys
from pipelines.trading.held import Row, find_position, instrument_id_of, read_instructions, read_positions
from pipelines.trading.preview import Preview, preview_cancelling, preview_closing, preview_instructions
from pipelines.trading.prices import Quoted, quoted
from pipelines.trading.requests import (
    TradeRequest,
    cancel_instruction,
    checked_account,
    checked_instrument,
    close_position,
    close_positions,
    submit_instructions,
)

#: A price is worth this long a wait.
PRICE_SECONDS = 5.0


@dataclass(frozen=True)
class Proposal:
    """A request and what it would do. `again` reads afresh and proposes the same once more: names are looked up again
    too. It may leave prices out, and raises what making the proposal raised."""

    request: TradeRequest
    preview: Preview
    again: Callable[[], Proposal]


def propose_closing(client: BrokerClient, account_id: str, name: str, *, cancel_orders: bool | None = None) -> Proposal:
    """Close the one position that a UUID or a symbol names. Raises ConfigurationError for a name that is nothing's, or
    more than one instrument's, and BrokerError where the positions can't be read whole."""
    checked_instrument(name)
    positions = read_positions(client, checked_account(account_id))
    row = find_position(positions, name)
    request = close_position(account_id, row["instrument_id"], symbol=row["symbol"], cancel_orders=cancel_orders)
    again = partial(propose_closing, client, account_id, name, cancel_orders=cancel_orders)
    return Proposal(request, preview_closing(positions, request), again)


def propose_closing_all(client: BrokerClient, account_id: str, *, cancel_orders: bool | None = None) -> Proposal:
    """Close every position of an account. Raises BrokerError where they can't be read whole."""
    request = close_positions(account_id, cancel_orders=cancel_orders)
    again = partial(propose_closing_all, client, account_id, cancel_orders=cancel_orders)
    return Proposal(request, preview_closing(read_positions(client, account_id), request), again)


def propose_submission(
    settings: Settings,
    client: BrokerClient,
    account_id: str,
    wanted: Sequence[Wanted],
    run_id: str,
    *,
    prices: bool = True,
) -> Proposal:
    """Submit these rows. Symbols of what is held become instrument ids, rows without a key get one made of `run_id`.

    Without `prices` nobody is asked what the underlyings cost. Raises ConfigurationError for a row that can't be used,
    BrokerError where positions or instructions can't be read whole.
    """
    positions = read_positions(client, account_id)
    rows = [checked_instruction(_with_id(positions, each)) for each in with_keys(wanted, run_id)]
    request = submit_instructions(account_id, rows)
    given = read_instructions(client, account_id)
    with Http(settings.base_url, settings.reading_key(), secrets=settings.keys, budget=PRICE_SECONDS) as http:
        price_of = partial(quoted, http) if prices else _unasked
        preview = preview_instructions(client, positions, given, request, price_of)
    again = partial(propose_submission, settings, client, account_id, wanted, run_id, prices=False)
    return Proposal(request, preview, again)


def propose_cancelling(client: BrokerClient, account_id: str, instruction_id: str) -> Proposal:
    """Cancel an instruction that the broker lists. Raises ConfigurationError where it doesn't, and BrokerError."""
    request = cancel_instruction(account_id, instruction_id)
    again = partial(propose_cancelling, client, account_id, instruction_id)
    return Proposal(request, preview_cancelling(read_instructions(client, account_id), request), again)


def _unasked(_: str) -> Quoted | None:
    return None


def _with_id(positions: Sequence[Row], wanted: Wanted) -> Wanted:
    """The instruction with its contract named by id instead of by symbol."""
    try:
        instrument_id = instrument_id_of(positions, wanted.row["instrument_id"])
    except ConfigurationError as error:
        raise ConfigurationError(f"{wanted.where}{error}") from None
    return replace(wanted, row={**wanted.row, "instrument_id": instrument_id})
