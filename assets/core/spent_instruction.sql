-- On which evening an accepted instruction was spent: the first since it was accepted that shows fewer contracts than the evening before it did and
-- what is known to have been traded between them come to, however the fills around the two snapshots count.
with evenings as (
    select
        instruction.account_id,
        instruction.id,
        instruction.instrument_id,
        account_eod.trading_date,
        account_eod.captured_at,
        account_eod.captured_at >= instruction.updated_at as is_after,
        -- the quantity of a recovered day may be unknown
        case when position_eod.instrument_id is null then 0 else position_eod.quantity end as quantity,
        lag(account_eod.trading_date) over same as prev_trading_date,
        lag(account_eod.captured_at) over same as prev_captured_at,
        lag(case when position_eod.instrument_id is null then 0 else position_eod.quantity end) over same as quantity_prev
    from accepted_instruction as instruction
    inner join core.account_eod on instruction.account_id = account_eod.account_id
    left join core.position_eod
        on
            account_eod.account_id = position_eod.account_id
            and account_eod.trading_date = position_eod.trading_date
            and instruction.instrument_id = position_eod.instrument_id
    where account_eod.trading_date between $from_date - 31 and $to_date
    window same as (partition by instruction.account_id, instruction.id order by account_eod.trading_date)
),

flows as (
    select
        evenings.account_id,
        evenings.id,
        evenings.trading_date,
        flow.net_quantity as quantity,
        flow.trading_date > evenings.prev_trading_date as after_start_by_date,
        coalesce(flow.outside_at > evenings.prev_captured_at, after_start_by_date) as after_start_by_time,
        coalesce(flow.outside_at <= evenings.captured_at, true) as until_end_by_time
    from evenings
    inner join core.trade_flow as flow
        on
            evenings.account_id = flow.account_id
            and evenings.instrument_id = flow.instrument_id
            and evenings.prev_trading_date <= flow.trading_date
            and evenings.trading_date >= flow.trading_date
    where flow.trading_date >= $from_date - 31
),

traded as (
    select
        account_id,
        id,
        trading_date,
        sum(case when after_start_by_time and until_end_by_time then quantity else 0 end) as by_time,
        sum(case when after_start_by_date then quantity else 0 end) as by_date,
        sum(case when after_start_by_time then quantity else 0 end) as from_time_to_date,
        sum(case when after_start_by_date and until_end_by_time then quantity else 0 end) as from_date_to_time
    from flows
    group by account_id, id, trading_date
)

select
    evenings.account_id,
    evenings.id,
    min(evenings.trading_date) as trading_date
from evenings
left join traded
    on
        evenings.account_id = traded.account_id
        and evenings.id = traded.id
        and evenings.trading_date = traded.trading_date
where
    evenings.is_after
    and evenings.quantity - evenings.quantity_prev < coalesce(traded.by_time, 0)
    and coalesce(
        evenings.quantity - evenings.quantity_prev not in (traded.by_date, traded.from_time_to_date, traded.from_date_to_time),
        true
    )
group by evenings.account_id, evenings.id
