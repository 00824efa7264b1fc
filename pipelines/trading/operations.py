"""The four operations that trade, from the account that is named to what came of it; whoever asks only words them.

In: what to do, and the desk where it is asked for. Out: the trade, landed or on its way. A desk shows a proposal and
says whether to send it: a person at a terminal, or the config of a job. Reading modules must not import this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pipelines.broker.client import BrokerClient
from pipelines.ingest.run_context import new_run_id
from pipelines.progress import ProgressEvent
from pipelines.settings import Settings
from pipelines.trading.batch import Wanted
from pipelines.trading.changes import Changed, refuse_unexpected
from pipelines.trading.proposals import (
    Proposal,
    propose_cancelling,
    propose_closing,
    propose_closing_all,
    propose_submission,
)
from pipelines.trading.requests import cancel_instruction, checked_account, checked_instrument
from pipelines.trading.send import Trade, refuse_other_accounts, trade

#: Makes a proposal with a client, for the run of this id.
Propose = Callable[[BrokerClient, str], Proposal]


class Desk(Protocol):
    """Where an operation is asked for. `caller` is who asks, `timeout` how many seconds an answer may take, `wait` how
    many to wait for the books."""

    caller: str
    timeout: float
    wait: float

    def open(self, settings: Settings) -> None:
        """Raises DaybookError where nothing may be sent from here, before the broker is asked anything."""

    def agrees(self, shown: Proposal) -> bool:
        """Shows a proposal, and says whether it is to be sent."""

    def hear(self, changed: Changed) -> None:
        """What was shown is no longer so. Returns where it is to be shown anew, else raises."""

    def on_progress(self, event: ProgressEvent) -> None:
        """What a trade waits for."""


def close_one(
    settings: Settings,
    desk: Desk,
    account_id: str,
    instrument: str,
    *,
    cancel_orders: bool | None = None,
    held: str | None = None,
) -> Trade | None:
    """Close the position that a UUID or a symbol names, where its quantity is `held`, if that is said.

    Returns None where nothing was sent, because there is nothing to do or the desk did not agree. Raises as `trade`,
    and ConfigurationError for a name that is nothing's."""
    checked_instrument(instrument)

    def propose(client: BrokerClient, _: str) -> Proposal:
        proposal = propose_closing(client, account_id, instrument, cancel_orders=cancel_orders)
        if held is not None:
            refuse_unexpected(proposal, {instrument: held})
        return proposal

    return _carry_out(settings, desk, account_id, propose)


def close_all(
    settings: Settings,
    desk: Desk,
    account_id: str,
    *,
    cancel_orders: bool | None = None,
    held: Mapping[str, str] | None = None,
) -> Trade | None:
    """Close every position of an account, where they are exactly those `held`, if that is said. As `close_one`."""

    def propose(client: BrokerClient, _: str) -> Proposal:
        proposal = propose_closing_all(client, account_id, cancel_orders=cancel_orders)
        if held is not None:
            refuse_unexpected(proposal, held)
        return proposal

    return _carry_out(settings, desk, account_id, propose)


def submit(settings: Settings, desk: Desk, account_id: str, wanted: Sequence[Wanted]) -> Trade | None:
    """Submit instructions, all in one request. As `close_one`."""

    def propose(client: BrokerClient, run_id: str) -> Proposal:
        return propose_submission(settings, client, account_id, wanted, run_id)

    return _carry_out(settings, desk, account_id, propose)


def cancel(settings: Settings, desk: Desk, account_id: str, instruction_id: str) -> Trade | None:
    """Cancel an instruction that the broker lists. As `close_one`."""
    cancel_instruction(account_id, instruction_id)  # what can't be one is said before anybody is asked

    def propose(client: BrokerClient, _: str) -> Proposal:
        return propose_cancelling(client, account_id, instruction_id)

    return _carry_out(settings, desk, account_id, propose)


def _carry_out(settings: Settings, desk: Desk, account_id: str, propose: Propose) -> Trade | None:
    """Propose, have it shown, send it if the desk agrees and it is still so. Where something has changed since it was
    shown, that is shown anew for as long as the desk wants."""
    refuse_other_accounts(settings, checked_account(account_id))
    desk.open(settings)
    settings.trading_key()
    with BrokerClient.of(settings) as client:
        while True:
            run_id = new_run_id(client.clock().now)
            shown = propose(client, run_id)
            if not desk.agrees(shown):
                return None
            clock = client.clock()  # again: somebody may have thought for a while
            try:
                return trade(
                    settings,
                    shown,
                    clock,
                    run_id=run_id,
                    caller=desk.caller,
                    timeout=desk.timeout,
                    wait=desk.wait,
                    on_progress=desk.on_progress,
                )
            except Changed as changed:
                desk.hear(changed)
