-- Days of fills that a new run tells first, in another form or at another time than before, or has no longer in a whole list that covers them.
-- One of the night counts on the day before it, too, where a snapshot was taken later in that night.
with runs as (
    select 'before' as told, run_id, finished_at from core.run
    union all
    select 'after' as told, run_id, finished_at from core.run
    union all
    select 'after' as told, run_id, finished_at from new_run
),

lists as (
    select runs.told, manifest.run_id, manifest.account_id, manifest.window_from, manifest.captured_at, runs.finished_at
    from raw.extract_manifest as manifest
    inner join runs on manifest.run_id = runs.run_id
    where manifest.endpoint = 'executions' and manifest.complete and coalesce(manifest.rows_quarantined, 0) = 0
),

told_of as (
    select account_id, window_from as since from lists where run_id in (select run_id from new_run)
    union all
    select account_id, transaction_time as since from raw.executions where run_id in (select run_id from new_run)
),

touched as (
    select account_id, min(since) as since
    from told_of
    group by account_id
),

fills as (
    select distinct executions.account_id, executions.id
    from raw.executions
    inner join touched
        on executions.account_id = touched.account_id and executions.transaction_time >= touched.since
),

latest as (
    select
        runs.told,
        executions.account_id,
        executions.id,
        executions.instrument_id,
        executions.symbol,
        executions.underlying_instrument_id,
        executions.side,
        executions.quantity,
        executions.price,
        executions.transaction_time,
        runs.finished_at
    from raw.executions
    inner join runs on executions.run_id = runs.run_id
    semi join fills on executions.account_id = fills.account_id and executions.id = fills.id
    qualify row_number() over (
        partition by runs.told, executions.account_id, executions.id order by runs.finished_at desc
    ) = 1
),

standing as (
    select told, account_id, id, instrument_id, symbol, underlying_instrument_id, side, quantity, price, transaction_time
    from latest
    anti join lists
        on
            latest.told = lists.told
            and latest.account_id = lists.account_id
            and latest.finished_at < lists.finished_at
            and latest.transaction_time >= lists.window_from
            and latest.transaction_time <= lists.captured_at
),

differing as (
    select
        any_value(account_id) as account_id,
        any_value(instrument_id) as instrument_id,
        any_value(transaction_time) as transaction_time
    from standing
    group by
        account_id, id, instrument_id, symbol, underlying_instrument_id, side, quantity, price, transaction_time
    having count(*) = 1
)

select calendar.trading_date
from differing
inner join core.calendar
    on differing.transaction_time > calendar.owns_from and differing.transaction_time <= calendar.post_close
union
select calendar.prev_trading_date as trading_date
from differing
inner join core.calendar
    on differing.transaction_time > calendar.owns_from and differing.transaction_time <= calendar.pre_open
union
-- whether an instruction was spent before a day is told by what had been traded until then
select account_eod.trading_date
from differing
inner join raw.position_instructions as instruction
    on differing.account_id = instruction.account_id and differing.instrument_id = instruction.instrument_id
inner join core.account_eod on differing.account_id = account_eod.account_id
where
    account_eod.captured_at >= differing.transaction_time
    and account_eod.captured_at <= differing.transaction_time + interval 21 day
