-- What a person should know about a day: what the reading noticed, where a row contradicts itself (the broker's number is never corrected),
-- and every invariant of the books that does not hold (FAIL: the day is BROKEN).
with read_findings as (
    select
        run.trading_date,
        manifest.account_id,
        item.value ->> 'instrument_id' as instrument_id,
        item.value ->> 'check_name' as check_name,
        -- a read that failed leaves a gap; only the books themselves can be broken
        case item.value ->> 'severity' when 'INFO' then 'INFO' else 'WARN' end as severity,
        item.value ->> 'value' as value,
        item.value ->> 'expected' as expected,
        item.value ->> 'message' as message,
        manifest.run_id
    from raw.extract_manifest as manifest
    inner join core.run on manifest.run_id = run.run_id
    cross join json_each(manifest.findings) as item
    where run.trading_date between $from_date and $to_date and manifest.findings is not null
),

positions as (
    select
        position_eod.*,
        account_eod.run_id
    from core.position_eod
    inner join core.account_eod
        on
            position_eod.account_id = account_eod.account_id
            and position_eod.trading_date = account_eod.trading_date
    where
        position_eod.trading_date between $from_date and $to_date
        and position_eod.instrument_type <> 'CASH' and position_eod.quantity <> 0
),

row_checks as (
    select
        trading_date, account_id, instrument_id, run_id,
        'value_minus_cost_vs_unrealized' as check_name,
        'WARN' as severity,
        cast(market_value - cost_basis as varchar) as value,
        cast(unrealized_pnl as varchar) as expected,
        'market value less cost is not the reported unrealized P&L' as message
    from positions
    where abs(market_value - cost_basis - unrealized_pnl) > 0.01
    union all
    select
        trading_date, account_id, instrument_id, run_id,
        'stale_price', 'WARN', cast(closing_price_date as varchar), cast(trading_date as varchar),
        'the closing price is of an earlier day'
    from positions
    where closing_price_date < trading_date
    union all
    select
        trading_date, account_id, instrument_id, run_id,
        'option_symbol_expired', 'WARN', cast(option_expiry as varchar), cast(trading_date as varchar),
        'an option is held after its expiry'
    from positions
    where instrument_type = 'OPTION' and option_expiry < trading_date
    union all
    select
        trading_date, account_id, instrument_id, run_id,
        'available_exceeds_quantity', 'WARN', cast(available_quantity as varchar), cast(quantity as varchar),
        'more is available than is held'
    from positions
    where abs(available_quantity) > abs(quantity)
    union all
    select
        trading_date, account_id, instrument_id, run_id,
        'value_vs_quantity_times_price', 'WARN', cast(market_value as varchar), cast(value_recalc as varchar),
        'market value is not quantity x price x multiplier at the ' || lower(price_grade) || ' price'
    from positions
    where price_grade <> 'IMPLIED' and abs(market_value - value_recalc) > 0.01
    union all
    select
        trading_date, account_id, instrument_id, run_id,
        'sign_of_value', 'WARN', cast(market_value as varchar), cast(quantity as varchar),
        'quantity and market value have different signs'
    from positions
    where market_value <> 0 and sign(market_value) <> sign(quantity)
    union all
    select
        trading_date, account_id, instrument_id, run_id,
        'multiplier_unknown', 'WARN', null, null,
        'no contract, no cost and no value tell the multiplier of this option: 100 is assumed'
    from positions
    where multiplier_source = 'ASSUMED'
    union all
    select
        trading_date, account_id, instrument_id, run_id,
        'daily_fields_half', 'WARN',
        cast(daily_realized_pnl as varchar), cast(daily_unrealized_pnl as varchar),
        'only one of the two daily P&L fields was reported, so neither is used'
    from positions
    where (daily_realized_pnl is null) <> (daily_unrealized_pnl is null)
    union all
    select
        trading_date, account_id, instrument_id, run_id,
        'unexplained_quantity', 'WARN', cast(quantity as varchar), cast(quantity_prev as varchar),
        'the quantity changed without a fill, an event or an adjustment: see adjustments.csv'
    from new_position_daily
    where list_contains(flags, 'UNEXPLAINED_QUANTITY') or list_contains(flags, 'SPLIT_SUSPECT')
),

run_checks as (
    select
        run.trading_date,
        extract_run.clock_skew_ms,
        extract_run.run_id
    from raw.extract_run
    inner join core.run on extract_run.run_id = run.run_id
    where run.trading_date between $from_date and $to_date and not extract_run.is_loopback
),

invariants as (
    select
        trading_date, account_id, instrument_id, run_id,
        'total_is_realized_plus_unrealized' as check_name,
        cast(total_pnl as varchar) as value,
        cast(realized_pnl + unrealized_change as varchar) as expected,
        'total P&L is not realized + change of unrealized' as message
    from new_position_daily
    where abs(total_pnl - realized_pnl - unrealized_change) > 0.000001
    union all
    -- only where the reported value is quantity x price x multiplier on both days: else the broker's own row disagrees with itself
    select
        daily.trading_date, daily.account_id, daily.instrument_id, daily.run_id,
        'total_is_position_plus_day',
        cast(daily.total_pnl as varchar),
        cast(daily.position_pnl + daily.day_pnl as varchar),
        'total P&L is not carried position + day''s trading'
    from new_position_daily as daily
    inner join position_change as change
        on
            daily.account_id = change.account_id
            and daily.trading_date = change.trading_date
            and daily.instrument_id = change.instrument_id
    where
        daily.total_source = 'EXECUTIONS'
        and abs(daily.total_pnl - daily.position_pnl - daily.day_pnl) > 0.000001
        and coalesce(change.value_recalc = change.market_value, change.quantity = 0)
        and coalesce(change.value_recalc_prev = change.market_value_prev, change.quantity_prev = 0)
        and coalesce(change.unrealized_pnl = change.market_value - change.cost_basis, change.quantity = 0)
        and coalesce(
            change.unrealized_pnl_prev = change.market_value_prev - change.cost_basis_prev, change.quantity_prev = 0
        )
    union all
    select
        account.trading_date, account.account_id, null, account.run_id,
        'positions_sum_to_account',
        cast(account.total_pnl as varchar),
        cast(sum(daily.total_pnl) + account.unattributed_pnl as varchar),
        'the positions do not add up to the account'
    from new_account_daily as account
    inner join new_position_daily as daily
        on account.account_id = daily.account_id and account.trading_date = daily.trading_date
    group by account.trading_date, account.account_id, account.run_id, account.total_pnl, account.unattributed_pnl
    having abs(account.total_pnl - sum(daily.total_pnl) - account.unattributed_pnl) > 0.000001
    union all
    select
        account_eod.trading_date, account_eod.account_id, null, account_eod.run_id,
        'day_is_a_session', cast(account_eod.trading_date as varchar), null,
        'an end of day stands on a date without a session'
    from core.account_eod
    left join core.calendar on account_eod.trading_date = calendar.trading_date
    where account_eod.trading_date between $from_date and $to_date and calendar.trading_date is null
)

select trading_date, account_id, instrument_id, check_name, severity, value, expected, message, run_id
from read_findings
union all
select trading_date, account_id, instrument_id, check_name, severity, value, expected, message, run_id
from row_checks
union all
select
    trading_date, null, null, 'clock_skew', 'WARN', cast(clock_skew_ms as varchar), '120000',
    'this machine''s clock and the broker''s differ by more than two minutes', run_id
from run_checks
where abs(clock_skew_ms) > 120000
union all
select trading_date, account_id, instrument_id, check_name, 'FAIL', value, expected, message, run_id
from invariants
