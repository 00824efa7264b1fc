"""The four operations that trade as jobs: launched by a person, never by a schedule, and never a second time.

Each run's config has to repeat the account id in `confirm`, and whoever closes something states what is held: nobody is
shown a table here, so what the config says takes its place. They don't wait in the pool of those that write the books:
a build must not hold up a trade; the run lock keeps them apart when the answer is landed.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any

import dagster as dg
from pydantic import Field, model_validator

from pipelines.errors import ConfigurationError, DaybookError
from pipelines.progress import ProgressEvent
from pipelines.settings import Settings
from pipelines.trading import operations
from pipelines.trading.batch import Wanted
from pipelines.trading.changes import Changed
from pipelines.trading.proposals import Proposal
from pipelines.trading.send import Trade

#: How long an answer waits for the books before it is left to the next run.
WAIT = 60.0
#: Dagster would start a crashed run once more: for these that could be a second trade.
ONCE = {"dagster/max_retries": "0"}


class Confirmed(dg.Config):
    """What each of the four jobs needs: the account, typed twice as a confirmation."""

    account: str = Field(description="The account, by its id.", pattern=r"^[0-9]{1,19}$")
    confirm: str = Field(description="The account id once more: this trades.")

    @model_validator(mode="after")
    def _same(self) -> "Confirmed":
        if self.confirm != self.account:
            raise ValueError("confirm must be the account id, typed again: nothing was sent")
        return self


class ClosePosition(Confirmed):
    """Close one position."""

    instrument: str = Field(description="The instrument: its UUID, or its symbol.", min_length=1)
    quantity: str = Field(description="What is held, as text, negative when short. If it isn't, nothing is sent.")
    cancel_orders: bool | None = Field(default=None, description="Whether its open orders are cancelled first.")


class ClosePositions(Confirmed):
    """Close every position of an account."""

    positions: dict[str, str] = Field(
        description="What is held: the quantity of every position, as text, negative when short, by UUID or symbol. "
        "If they aren't exactly these, nothing is sent."
    )
    cancel_orders: bool | None = Field(default=None, description="Whether open orders are cancelled first.")


class Kind(Enum):
    """What may be instructed."""

    EXERCISE = "EXERCISE"
    DO_NOT_EXERCISE = "DO_NOT_EXERCISE"
    CONTRARY_EXERCISE = "CONTRARY_EXERCISE"


class InstructionConfig(dg.Config):
    """One instruction of a batch."""

    instruction_type: Kind
    instrument_id: str = Field(description="The contract: its UUID, or the symbol of one that is held.", min_length=1)
    quantity: str = Field(description="How many contracts, as text.")
    client_instruction_id: str | None = Field(default=None, description="Your idempotency key; else one is made.")


class SubmitInstructions(Confirmed):
    """Submit instructions, all in one request."""

    instructions: list[InstructionConfig] = Field(min_length=1)


class CancelInstruction(Confirmed):
    """Cancel one instruction."""

    instruction_id: str = Field(description="The broker's id of the instruction, not your key.", min_length=1)


@dg.op
def close_position_op(context: dg.OpExecutionContext, config: ClosePosition) -> None:
    """Close one position, if it is held as stated."""
    _carry_out(
        context,
        lambda settings, desk: operations.close_one(
            settings,
            desk,
            config.account,
            config.instrument,
            cancel_orders=config.cancel_orders,
            held=config.quantity,
        ),
    )


@dg.op
def close_positions_op(context: dg.OpExecutionContext, config: ClosePositions) -> None:
    """Close every position of an account, if they are held as stated."""
    _carry_out(
        context,
        lambda settings, desk: operations.close_all(
            settings, desk, config.account, cancel_orders=config.cancel_orders, held=config.positions
        ),
    )


@dg.op
def submit_instructions_op(context: dg.OpExecutionContext, config: SubmitInstructions) -> None:
    """Submit instructions, after working out what they would do."""
    wanted = [Wanted(_row(each), f"Instruction {number}: ") for number, each in enumerate(config.instructions, 1)]
    _carry_out(context, lambda settings, desk: operations.submit(settings, desk, config.account, wanted))


@dg.op
def cancel_instruction_op(context: dg.OpExecutionContext, config: CancelInstruction) -> None:
    """Cancel an instruction that the broker lists."""
    _carry_out(context, lambda settings, desk: operations.cancel(settings, desk, config.account, config.instruction_id))


@dg.job(name="close_position", tags=ONCE, executor_def=dg.in_process_executor)
def close_position_job() -> None:
    """Close one position. Trades: confirm by typing the account id again."""
    close_position_op()


@dg.job(name="close_positions", tags=ONCE, executor_def=dg.in_process_executor)
def close_positions_job() -> None:
    """Close every position of an account. Trades: confirm by typing the account id again."""
    close_positions_op()


@dg.job(name="submit_instructions", tags=ONCE, executor_def=dg.in_process_executor)
def submit_instructions_job() -> None:
    """Submit exercise instructions. Trades: confirm by typing the account id again."""
    submit_instructions_op()


@dg.job(name="cancel_instruction", tags=ONCE, executor_def=dg.in_process_executor)
def cancel_instruction_job() -> None:
    """Cancel an exercise instruction. Trades: confirm by typing the account id again."""
    cancel_instruction_op()


trading_jobs = [close_position_job, close_positions_job, submit_instructions_job, cancel_instruction_job]


def _row(each: InstructionConfig) -> dict[str, str]:
    row = {
        "instruction_type": each.instruction_type.value,
        "instrument_id": each.instrument_id,
        "quantity": each.quantity,
    }
    return row | ({"client_instruction_id": each.client_instruction_id} if each.client_instruction_id else {})


class RunLog:
    """The desk of a job: shows in the run's log what would happen. Whoever wrote the config has agreed to what it says,
    and to nothing else."""

    timeout, wait = 60.0, WAIT

    def __init__(self, context: dg.OpExecutionContext) -> None:
        self.caller = f"Dagster run {context.run_id}"
        self._context = context

    def open(self, settings: Settings) -> None:
        """Raises DaybookError in a process that has no trading jobs, and in a run that repeats another."""
        _refuse_second_try(self._context)
        if not settings.has_trading_jobs():
            raise ConfigurationError(
                "DAYBOOK_TRADING_JOBS is not on in the process that runs this job: nothing was sent."
            )

    def agrees(self, shown: Proposal) -> bool:
        """Whether there is anything to do."""
        for line in (*shown.preview.as_json(), *shown.preview.warnings, *shown.preview.ages):
            self._context.log.info(str(line))
        return bool(shown.preview.lines)

    def hear(self, changed: Changed) -> None:
        """Raises it: nobody is asked again."""
        raise changed

    def on_progress(self, event: ProgressEvent) -> None:
        """Into the log."""
        self._context.log.info(str(event))


def _carry_out(context: dg.OpExecutionContext, operation: Callable[[Settings, RunLog], Trade | None]) -> None:
    """Send once, and land. Fails the run for anything but a request that was done."""
    try:
        done = operation(Settings.from_env(), RunLog(context))
    except DaybookError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    if done is None:
        context.log.info("There is nothing to close, so nothing was sent.")
        return
    for note in done.notes:
        context.log.warning(note)
    metadata: dict[str, dg.MetadataValue[Any] | str | bool] = {
        "outcome": done.outcome,
        "run": done.record.run_id,
        "landed": done.landed,
    }
    metadata["rows"] = dg.MetadataValue.json(done.answer.orders or done.instructions if done.answer else [])
    if done.outcome != "DONE":
        find_out = f" To find out: {'; then '.join(done.find_out())}" if done.outcome == "UNKNOWN" else ""
        raise dg.Failure(done.sentence + find_out, metadata=metadata, allow_retries=False)
    context.add_output_metadata(metadata)
    context.log.info(done.sentence)


def _refuse_second_try(context: dg.OpExecutionContext) -> None:
    """A run that is started again, by Dagster or by a click, could trade again. Whoever means it launches a new one."""
    if context.retry_number or context.run.parent_run_id:
        raise DaybookError(
            "This run repeats one that may have traded, so nothing was sent. Find out what became of the first, "
            "and launch a new run if it is still wanted."
        )
