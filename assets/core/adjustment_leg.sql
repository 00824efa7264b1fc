-- What people said of an account's day (adjustments.csv), instrument by instrument; what they said of a day that nobody fetched counts on the
-- next known one. An id change has two legs: it leaves one instrument and enters another, at yesterday's value and cost, with as many of the new one
-- as the line says, else as many as there were.
with said as (
    select
        account_day.account_id,
        account_day.trading_date,
        position_adjustment.trading_date as said_date,
        position_adjustment.kind,
        position_adjustment.instrument_id,
        position_adjustment.to_instrument_id,
        position_adjustment.quantity,
        position_adjustment.cash,
        position_adjustment.value,
        position_adjustment.cost_basis
    from core.position_adjustment
    inner join account_day
        on
            position_adjustment.account_id = account_day.account_id
            and position_adjustment.trading_date <= account_day.trading_date
            and position_adjustment.trading_date
            > coalesce(account_day.prev_trading_date, account_day.trading_date - 1)
    where position_adjustment.trading_date >= (select coalesce(min(prev_trading_date), $from_date) from account_day)
),

sides as (
    select
        account_id, trading_date, said_date, instrument_id as held_id, instrument_id, null as new_quantity,
        -1 as direction
    from said
    where kind = 'ID_CHANGE'
    union all
    select
        account_id, trading_date, said_date, instrument_id as held_id, to_instrument_id as instrument_id,
        quantity as new_quantity, 1 as direction
    from said
    where kind = 'ID_CHANGE'
)

select
    account_id,
    trading_date,
    said_date,
    instrument_id,
    kind,
    quantity,
    cash,
    value,
    coalesce(cost_basis, 0) as cost_basis
from said
where kind <> 'ID_CHANGE'
union all
select
    sides.account_id,
    sides.trading_date,
    sides.said_date,
    sides.instrument_id,
    'ID_CHANGE' as kind,
    coalesce(sides.new_quantity, sides.direction * position_before.quantity) as quantity,
    0 as cash,
    sides.direction * position_before.market_value as value,
    sides.direction * position_before.cost_basis as cost_basis
from sides
inner join position_before
    on
        sides.account_id = position_before.account_id
        and sides.trading_date = position_before.day
        and sides.held_id = position_before.instrument_id
