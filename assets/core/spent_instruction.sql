-- On which evening an accepted instruction was spent: the first that shows fewer contracts than the last one before it was accepted did, with what is
-- known to have been traded since (or than the first of all, where the books begin later than that).
with evenings as (
    select
        instruction.account_id,
        instruction.id,
        instruction.instrument_id,
        account_eod.trading_date,
        account_eod.captured_at,
        account_eod.captured_at >= instruction.updated_at as is_after,
        coalesce(position_eod.quantity, 0) as quantity
    from accepted_instruction as instruction
    inner join core.account_eod on instruction.account_id = account_eod.account_id
    left join core.position_eod
        on
            account_eod.account_id = position_eod.account_id
            and account_eod.trading_date = position_eod.trading_date
            and instruction.instrument_id = position_eod.instrument_id
    where account_eod.trading_date between $from_date - 31 and $to_date
),

last_before as (
    select
        account_id,
        id,
        instrument_id,
        trading_date,
        captured_at,
        quantity
    from evenings
    qualify row_number() over (
        partition by account_id, id
        order by is_after, case when is_after then trading_date end, trading_date desc
    ) = 1
),

traded as (
    select
        later.account_id,
        later.id,
        later.trading_date,
        sum(flow.net_quantity) as quantity
    from evenings as later
    inner join last_before on later.account_id = last_before.account_id and later.id = last_before.id
    inner join core.trade_flow as flow
        on
            later.account_id = flow.account_id
            and later.instrument_id = flow.instrument_id
            and last_before.trading_date <= flow.trading_date
            and later.trading_date >= flow.trading_date
            and coalesce(flow.outside_at > last_before.captured_at, flow.trading_date > last_before.trading_date)
            and coalesce(flow.outside_at <= later.captured_at, true)
    where flow.trading_date >= $from_date - 31
    group by later.account_id, later.id, later.trading_date
)

select
    later.account_id,
    later.id,
    min(later.trading_date) as trading_date
from evenings as later
inner join last_before on later.account_id = last_before.account_id and later.id = last_before.id
left join traded
    on later.account_id = traded.account_id and later.id = traded.id and later.trading_date = traded.trading_date
where
    later.is_after and later.trading_date > last_before.trading_date
    and later.quantity < last_before.quantity + coalesce(traded.quantity, 0)
group by later.account_id, later.id
