-- Where a position or an account's day contradicts itself, or deserves a look. The broker's number is shown with the gap, never corrected.
with positions as (
    select
        position_eod.*,
        account_eod.run_id,
        account_eod.prev_trading_date,
        account_eod.captured_at
    from core.position_eod
    inner join core.account_eod
        on
            position_eod.account_id = account_eod.account_id
            and position_eod.trading_date = account_eod.trading_date
    where
        position_eod.trading_date between $from_date and $to_date
        and position_eod.instrument_type <> 'CASH' and position_eod.quantity <> 0
),

-- one instrument's day: what moved by more than a quarter without a split
moves as (
    select
        daily.*,
        change.split_numerator <> change.split_denominator as has_split
    from new_position_daily as daily
    inner join position_change as change
        on
            daily.account_id = change.account_id
            and daily.trading_date = change.trading_date
            and daily.instrument_id = change.instrument_id
),

recent as (
    select
        account_id,
        median(abs(cast(total_pnl as double))) as usual
    from pnl.account_daily
    where trading_date < $from_date and trading_date >= $from_date - 40 and total_pnl <> 0
    group by account_id
    having count(*) >= 10
),

instructed as (
    select
        history.account_id,
        history.instrument_id,
        history.client_instruction_id,
        history.accepted_quantity,
        account_eod.trading_date,
        account_eod.run_id,
        position_eod.quantity,
        position_eod.symbol
    from core.instruction_history as history
    inner join core.account_eod on history.account_id = account_eod.account_id
    inner join core.calendar as before on account_eod.prev_trading_date = before.trading_date
    inner join core.position_eod
        on
            history.account_id = position_eod.account_id
            and history.instrument_id = position_eod.instrument_id
            and account_eod.trading_date = position_eod.trading_date
    where
        account_eod.trading_date between $from_date and $to_date
        and history.status = 'ACCEPTED' and history.is_current and history.accepted_quantity > 0
        and history.instruction_type <> 'DO_NOT_EXERCISE'
        and history.updated_at > before.owns_from and history.updated_at <= before.post_close
)

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
    'cost_vs_quantity_times_average', 'WARN',
    cast(cost_basis as varchar),
    cast(value_of(quantity, avg_price, multiplier) as varchar),
    'cost basis is not quantity x average price x multiplier'
from positions
-- the average is rounded by the broker: half a unit of its last digit, times what is held
where
    multiplier_source <> 'IMPLIED'
    and abs(cost_basis - value_of(quantity, avg_price, multiplier))
    > greatest(0.01, 0.005 * abs(quantity) * multiplier)
union all
select
    trading_date, account_id, instrument_id, run_id,
    'stale_price', 'WARN', cast(closing_price_date as varchar), cast(trading_date as varchar),
    'the closing price is of an earlier day'
from positions
where closing_price_date < trading_date
union all
select
    trading_date, account_id, null, max(run_id),
    'mixed_closing_dates', 'WARN', cast(min(closing_price_date) as varchar), cast(max(closing_price_date) as varchar),
    'closing prices of one listing are of different days'
from positions
group by trading_date, account_id
having min(closing_price_date) <> max(closing_price_date)
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
    'option_symbol_not_padded', 'INFO', symbol, null,
    'the option symbol is not in the padded OSI form of 21 characters'
from positions
where instrument_type = 'OPTION' and option_right is not null and length(symbol) <> 21
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
    'market value is quantity x price x multiplier neither at the close nor at the current price'
from positions
where value_basis = 'NEITHER'
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
    'sign_of_cost', 'WARN', cast(cost_basis as varchar), cast(quantity as varchar),
    'quantity and cost basis have different signs'
from positions
where cost_basis <> 0 and sign(cost_basis) <> sign(quantity)
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
    'unrealized_pct', 'WARN', cast(unrealized_pnl_pct as varchar),
    cast(round(100 * cast(unrealized_pnl as double) / abs(cast(cost_basis as double)), 4) as varchar),
    'the reported per cent is not unrealized P&L on cost'
from positions
where
    cost_basis <> 0
    and abs(unrealized_pnl_pct - 100 * cast(unrealized_pnl as double) / abs(cast(cost_basis as double))) > 0.0051
union all
select
    trading_date, account_id, instrument_id, run_id,
    'unexplained_quantity', 'WARN', cast(quantity as varchar), cast(quantity_prev as varchar),
    'the quantity changed without a fill, an event or an adjustment: see adjustments.csv'
from new_position_daily
where list_contains(flags, 'UNEXPLAINED_QUANTITY') or list_contains(flags, 'SPLIT_SUSPECT')
union all
select
    trading_date, account_id, instrument_id, run_id,
    'daily_unrealized_vs_change', 'WARN',
    cast(daily_unrealized_pnl as varchar), cast(unrealized_pnl - unrealized_pnl_prev as varchar),
    'nothing was traded, and the reported daily unrealized P&L is not the change of unrealized P&L'
from position_change
where
    quantity = quantity_prev and fills = 0 and days_covered = 1 and coalesce(daily_realized_pnl, 0) = 0
    and split_numerator = split_denominator and adjustment_kind is null
    and abs(daily_unrealized_pnl - (unrealized_pnl - unrealized_pnl_prev)) > 0.01
union all
select
    trading_date, account_id, instrument_id, run_id,
    'price_move', 'WARN', cast(eod_price as varchar), cast(sod_price as varchar),
    'the price moved by more than a quarter without a corporate event'
from moves
where
    instrument_type <> 'OPTION' and not has_split and sod_price > 0 and eod_price > 0
    and abs(eod_price - sod_price) > 0.25 * sod_price
union all
select
    account.trading_date, account.account_id, null, account.run_id,
    'unusual_pnl', 'WARN', cast(account.total_pnl as varchar), cast(round(recent.usual, 2) as varchar),
    'the day''s P&L is more than twenty times what is usual for the account'
from new_account_daily as account
inner join recent on account.account_id = recent.account_id
where recent.usual > 0 and abs(account.total_pnl) > 20 * recent.usual
union all
select
    instructed.trading_date, instructed.account_id, instructed.instrument_id, instructed.run_id,
    'instruction_without_effect', 'WARN',
    cast(instructed.quantity as varchar), cast(instructed.accepted_quantity as varchar),
    'an instruction was accepted the session before, and no event of the position answers to it'
from instructed
where
    not exists (
        select 1 from core.lifecycle_event as event
        where
            event.account_id = instructed.account_id
            and event.instrument_id = instructed.instrument_id
            and event.trading_date = instructed.trading_date
            and event.kind <> 'SPLIT'
    )
union all
select
    broker_day.trading_date, broker_day.account_id, null, account_eod.run_id,
    'currency_is_not_usd', 'WARN', broker_day.currency, 'USD',
    'the account is in another currency: its figures are not added to those of other accounts'
from core.broker_day
inner join core.account_eod
    on broker_day.account_id = account_eod.account_id and broker_day.trading_date = account_eod.trading_date
where broker_day.trading_date between $from_date and $to_date and broker_day.currency <> 'USD'
union all
select
    calendar.trading_date, null, null, null,
    'calendar_conflict', 'WARN', calendar.day_type, calendar.source,
    'the broker''s calendar and the shipped one differ about this day; the broker''s is used'
from core.calendar
where calendar.trading_date between $from_date and $to_date and calendar.conflict
