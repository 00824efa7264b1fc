-- The money of every account at the end of its day, as the balances of the snapshot that speaks for the day say: null where nobody could read them,
-- and on a day that was recovered, whose balances nobody read.
select
    days.account_id,
    days.trading_date,
    balances.currency,
    balances.equity,
    balances.trade_cash as cash,
    balances.settled_cash,
    balances.unsettled_credits,
    balances.unsettled_debits,
    balances.withdrawable_cash,
    balances.buying_power,
    balances.open_order_adjustment,
    balances.long_market_value,
    -- the broker shows it positive, and leaves it out where there is none
    case when balances.long_market_value is not null then -coalesce(abs(balances.short_market_value), 0) end as short_market_value,
    balances.margin_type,
    balances.multiplier as margin_multiplier,
    balances.margin_details,
    balances.run_id,
    days.known_at
from core.account_eod as days
left join raw.balances
    on
        days.account_id = balances.account_id
        and coalesce(days.daily_fields_run_id, days.run_id) = balances.run_id
        and days.grade <> 'RECOVERED'
where days.trading_date between $from_date and $to_date
