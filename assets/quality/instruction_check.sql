-- Instructions that were accepted the session before, of positions that are still held and show no event that answers to them.
with instructed as (
    select
        history.account_id,
        history.instrument_id,
        history.accepted_quantity,
        account_eod.trading_date,
        account_eod.run_id,
        position_eod.quantity
    from core.instruction_history as history
    inner join core.account_eod on history.account_id = account_eod.account_id
    inner join core.calendar as before on account_eod.prev_trading_date = before.trading_date
    inner join core.position_eod
        on
            history.account_id = position_eod.account_id
            and history.instrument_id = position_eod.instrument_id
            and account_eod.trading_date = position_eod.trading_date
    where
        account_eod.trading_date between $from_date and $to_date
        and history.status = 'ACCEPTED' and history.is_current and history.accepted_quantity > 0
        and history.instruction_type <> 'DO_NOT_EXERCISE'
        and history.updated_at > before.owns_from and history.updated_at <= before.post_close
)

select
    instructed.trading_date, instructed.account_id, instructed.instrument_id, instructed.run_id,
    'instruction_without_effect' as check_name, 'WARN' as severity,
    cast(instructed.quantity as string) as value,
    cast(instructed.accepted_quantity as string) as expected,
    'an instruction was accepted the session before, and no event of the position answers to it' as message
from instructed
where
    not exists (
        select 1 from core.lifecycle_event as event
        where
            event.account_id = instructed.account_id
            and event.instrument_id = instructed.instrument_id
            and event.trading_date = instructed.trading_date
            and event.kind <> 'SPLIT'
    )
