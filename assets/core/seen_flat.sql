-- Positions that the day's last snapshot no longer has and an earlier one of the same day had at quantity 0: what they had realized is known.
-- One that was still open there says nothing of how it ended.
with seen_before as (
    select
        earlier.account_id,
        earlier.trading_date,
        positions.instrument_id,
        positions.quantity,
        positions.daily_realized_pnl
    from account_day
    inner join core.snapshot_grade as earlier
        on
            account_day.account_id = earlier.account_id
            and account_day.trading_date = earlier.trading_date
            and account_day.captured_at > earlier.captured_at
            and earlier.complete and not earlier.rolled and earlier.grade in ('INTRADAY', 'POST_CLOSE')
    inner join position_before
        on account_day.account_id = position_before.account_id and account_day.trading_date = position_before.day
    inner join raw.positions as positions
        on
            earlier.run_id = positions.run_id
            and earlier.account_id = positions.account_id
            and position_before.instrument_id = positions.instrument_id
    anti join core.position_eod as today
        on
            position_before.account_id = today.account_id
            and position_before.day = today.trading_date
            and position_before.instrument_id = today.instrument_id
            and today.instrument_type <> 'CASH'
            and today.trading_date between $from_date and $to_date
    qualify row_number() over (
        partition by earlier.account_id, earlier.trading_date, positions.instrument_id
        order by earlier.captured_at desc, earlier.run_id desc
    ) = 1
)

select
    account_id,
    trading_date,
    instrument_id,
    daily_realized_pnl
from seen_before
where quantity = 0 and daily_realized_pnl is not null
