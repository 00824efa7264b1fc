-- What deserves a look in a position's change from one end of day to the next: quantities and prices that moved without a reason.
select
    daily.trading_date, daily.account_id, daily.instrument_id, daily.run_id,
    'unexplained_quantity' as check_name, 'WARN' as severity,
    cast(daily.quantity as string) as value,
    cast(daily.quantity_prev as string) as expected,
    case
        when array_contains(daily.flags, 'SPLIT_SUSPECT')
            then 'the quantity changed and the cost did not, as in a split that the broker has not told of: ask it'
        else coalesce(
            written(change.unexplained - coalesce(events.quantity, 0)) || ' of ' || coalesce(trim(daily.symbol), daily.instrument_id)
            || ' came or went without a fill, a split, an event or a line of adjustments.csv: wait for the fills that are missing, '
            || 'or add the line ' || cast(daily.trading_date as string) || ',' || daily.account_id || ',TRANSFER,'
            || daily.instrument_id || ',,' || written(change.unexplained - coalesce(events.quantity, 0))
            || ',,VALUE,COST,, to adjustments.csv, with the value and the cost that moved (signed as the quantity)',
            'the quantity changed without a fill, a split, an event or a line of adjustments.csv'
        )
    end as message
from new_position_daily as daily
inner join position_change as change
    on
        daily.account_id = change.account_id
        and daily.trading_date = change.trading_date
        and daily.instrument_id = change.instrument_id
left join event_effect as events
    on
        daily.account_id = events.account_id
        and daily.trading_date = events.trading_date
        and daily.instrument_id = events.instrument_id
where array_contains(daily.flags, 'UNEXPLAINED_QUANTITY') or array_contains(daily.flags, 'SPLIT_SUSPECT')
union all
select
    trading_date, account_id, instrument_id, run_id,
    'cost_restated' as check_name, 'INFO' as severity,
    cast(cost_basis as string) as value,
    cast(cost_basis_prev as string) as expected,
    'the cost changed and nothing was traded (a wash sale, a basis that came late): that is no P&L' as message
from position_change
semi join new_position_daily as restated
    on
        position_change.account_id = restated.account_id
        and position_change.trading_date = restated.trading_date
        and position_change.instrument_id = restated.instrument_id
        and array_contains(restated.flags, 'COST_RESTATED')
union all
select
    trading_date, account_id, instrument_id, run_id,
    'daily_unrealized_vs_change' as check_name, 'WARN' as severity,
    cast(daily_unrealized_pnl as string) as value,
    cast(unrealized_pnl - unrealized_pnl_prev as string) as expected,
    'nothing was traded, and the reported daily unrealized P&L is not the change of unrealized P&L' as message
from position_change
where
    quantity = quantity_prev and fills = 0 and days_covered = 1 and coalesce(daily_realized_pnl, 0) = 0
    and split_numerator = split_denominator and adjustment_kind is null
    and abs(daily_unrealized_pnl - (unrealized_pnl - unrealized_pnl_prev)) > cent()
union all
select
    daily.trading_date, daily.account_id, daily.instrument_id, daily.run_id,
    'price_move' as check_name, 'WARN' as severity,
    cast(daily.eod_price as string) as value,
    cast(daily.sod_price as string) as expected,
    'the price moved by more than a quarter without a corporate event' as message
from new_position_daily as daily
inner join position_change as change
    on
        daily.account_id = change.account_id
        and daily.trading_date = change.trading_date
        and daily.instrument_id = change.instrument_id
where
    daily.instrument_type <> 'OPTION' and change.split_numerator = change.split_denominator
    and daily.sod_price > 0 and daily.eod_price > 0
    and abs(daily.eod_price - daily.sod_price) > 0.25 * daily.sod_price
union all
select
    trading_date, account_id, instrument_id, run_id,
    'split_unmatched' as check_name, 'WARN' as severity,
    cast(quantity as string) as value,
    cast(quantity_prev as string) as expected,
    'a split is announced near this day that quantity or price do not agree with: carried and traded P&L are not told apart' as message
from new_position_daily
where array_contains(flags, 'SPLIT_UNMATCHED')
