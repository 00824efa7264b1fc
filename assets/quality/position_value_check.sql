-- Where a position's value, cost or P&L as reported contradict each other. The broker's number is shown with the gap, never corrected.
select
    trading_date, account_id, instrument_id, run_id,
    'value_minus_cost_vs_unrealized' as check_name, 'WARN' as severity,
    cast(market_value - cost_basis as string) as value,
    cast(unrealized_pnl as string) as expected,
    'market value less cost is not the reported unrealized P&L' as message
from position_checked
where abs(market_value - cost_basis - unrealized_pnl) > cent()
union all
select
    trading_date, account_id, instrument_id, run_id,
    'cost_vs_quantity_times_average' as check_name, 'WARN' as severity,
    cast(cost_basis as string) as value,
    cast(value_of(quantity, avg_price, multiplier) as string) as expected,
    'cost basis is not quantity x average price x multiplier' as message
from position_checked
-- the average is rounded by the broker: half a unit of its last digit, times what is held
where
    multiplier_source <> 'IMPLIED'
    and abs(cost_basis - value_of(quantity, avg_price, multiplier))
    > greatest(cent(), 0.005 * abs(quantity) * multiplier)
union all
select
    trading_date, account_id, instrument_id, run_id,
    'value_vs_quantity_times_price' as check_name, 'WARN' as severity,
    cast(market_value as string) as value,
    cast(value_recalc as string) as expected,
    'market value is quantity x price x multiplier neither at the close nor at the current price' as message
from position_checked
where value_basis = 'NEITHER'
union all
select
    trading_date, account_id, instrument_id, run_id,
    'sign_of_value' as check_name, 'WARN' as severity,
    cast(market_value as string) as value,
    cast(quantity as string) as expected,
    'quantity and market value have different signs' as message
from position_checked
where market_value <> 0 and sign(market_value) <> sign(quantity)
union all
select
    trading_date, account_id, instrument_id, run_id,
    'sign_of_cost' as check_name, 'WARN' as severity,
    cast(cost_basis as string) as value,
    cast(quantity as string) as expected,
    'quantity and cost basis have different signs' as message
from position_checked
where cost_basis <> 0 and sign(cost_basis) <> sign(quantity)
union all
select
    trading_date, account_id, instrument_id, run_id,
    'multiplier_unknown' as check_name, 'WARN' as severity,
    null as value,
    null as expected,
    'no contract, no cost and no value tell the multiplier of this option: 100 is assumed' as message
from position_checked
where multiplier_source = 'ASSUMED'
union all
select
    trading_date, account_id, instrument_id, run_id,
    'unit_unknown' as check_name, 'WARN' as severity,
    cast(market_value as string) as value,
    cast(cost_basis as string) as expected,
    'value and cost say different units of the price, and neither is the contract''s: what fills of it paid is not known' as message
from position_checked
where multiplier_source = 'UNKNOWN'
union all
select
    trading_date, account_id, instrument_id, run_id,
    'cost_basis_missing' as check_name, 'WARN' as severity,
    null as value,
    null as expected,
    case
        when grade = 'RECOVERED'
            then 'it was traded or moved between the close and the snapshot that the day was recovered from: its cost is not known'
        else 'the broker tells no cost of the position: its total is by value, realized and unrealized are not known until it does'
    end as message
from position_checked
where cost_basis is null
union all
select
    trading_date, account_id, instrument_id, run_id,
    'unrealized_pct' as check_name, 'WARN' as severity,
    cast(unrealized_pnl_pct as string) as value,
    written_per_cent(100 * cast(unrealized_pnl as double) / nullif(abs(cast(cost_basis as double)), 0)) as expected,
    'the reported per cent is not unrealized P&L on cost' as message
from position_checked
where
    cost_basis <> 0
    and abs(unrealized_pnl_pct - 100 * cast(unrealized_pnl as double) / nullif(abs(cast(cost_basis as double)), 0)) > 0.0051
