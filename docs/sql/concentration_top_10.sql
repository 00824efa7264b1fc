-- In which ten underlyings is the most money at stake, all accounts together?
-- On the last day in the books. net is what a move of the price would work on (options at their value, not at their delta); gross adds long and short without
-- netting accounts against each other; share is gross in per cent of everybody's gross. accounts_known says of how many accounts the day is known.
with held as (
    select
        coalesce(underlying_instrument_id, instrument_id) as underlying,
        case when instrument_type = 'OPTION' then trim(symbol[:6]) else symbol end as root,
        account_id,
        market_value
    from core.position_eod
    where
        trading_date = (select max(trading_date) from core.account_eod)
        and instrument_type <> 'CASH' and quantity <> 0
)

select
    max(root) as symbol,
    sum(market_value) as net,
    sum(abs(market_value)) as gross,
    round(100 * cast(sum(abs(market_value)) as double) / cast((select sum(abs(market_value)) from held) as double), 2)
        as share,
    count(distinct account_id) as accounts,
    (
        select accounts_known || ' of ' || accounts_expected from quality.day
        where trading_date = (select max(trading_date) from core.account_eod)
    ) as accounts_known
from held
group by underlying
order by gross desc, symbol asc
limit 10
