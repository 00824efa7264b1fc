-- What is odd about a position's row as such: prices of another day, an option past its expiry, fields of which only one is there.
select
    trading_date, account_id, instrument_id, run_id,
    'stale_price' as check_name, 'WARN' as severity,
    cast(closing_price_date as string) as value,
    cast(trading_date as string) as expected,
    'the closing price is of an earlier day' as message
from position_checked
where closing_price_date < trading_date
union all
select
    trading_date, account_id, null as instrument_id, max(run_id) as run_id,
    'mixed_closing_dates' as check_name, 'WARN' as severity,
    cast(min(closing_price_date) as string) as value,
    cast(max(closing_price_date) as string) as expected,
    'closing prices of one listing are of different days' as message
from position_checked
group by trading_date, account_id
having min(closing_price_date) <> max(closing_price_date)
union all
select
    trading_date, account_id, instrument_id, run_id,
    'option_symbol_expired' as check_name, 'WARN' as severity,
    cast(option_expiry as string) as value,
    cast(trading_date as string) as expected,
    'an option is held after its expiry' as message
from position_checked
where instrument_type = 'OPTION' and option_expiry < trading_date
union all
select
    trading_date, account_id, instrument_id, run_id,
    'option_symbol_not_padded' as check_name, 'INFO' as severity,
    symbol as value,
    null as expected,
    'the option symbol is not in the padded OSI form of 21 characters' as message
from position_checked
where instrument_type = 'OPTION' and option_right is not null and length(symbol) <> 21
union all
select
    trading_date, account_id, instrument_id, run_id,
    'available_exceeds_quantity' as check_name, 'WARN' as severity,
    cast(available_quantity as string) as value,
    cast(quantity as string) as expected,
    'more is available than is held' as message
from position_checked
where abs(available_quantity) > abs(quantity)
union all
select
    trading_date, account_id, instrument_id, run_id,
    'daily_fields_half' as check_name, 'WARN' as severity,
    cast(daily_realized_pnl as string) as value,
    cast(daily_unrealized_pnl as string) as expected,
    'only one of the two daily P&L fields was reported, so neither is used' as message
from position_checked
where (daily_realized_pnl is null) <> (daily_unrealized_pnl is null)
