-- What has to hold whatever the broker sends: an identity of the books that fails makes the day BROKEN.
with changes as (
    select
        change.*,
        -- where value less cost is the unrealized P&L on both sides, value, cost and P&L are one set of books
        coalesce(change.unrealized_pnl = change.market_value - change.cost_basis, change.quantity = 0)
        and coalesce(
            change.unrealized_pnl_prev = change.market_value_prev - change.cost_basis_prev, change.quantity_prev = 0
        ) as cost_consistent,
        coalesce(change.value_recalc = change.market_value, change.quantity = 0)
        and coalesce(change.value_recalc_prev = change.market_value_prev, change.quantity_prev = 0)
            as price_consistent
    from position_change as change
),

exact as (
    select
        daily.*,
        changes.cost_consistent,
        changes.price_consistent,
        changes.market_value_prev,
        changes.adjusted_cash,
        changes.adjusted_value,
        coalesce(legs.cash, 0) as lifecycle_cash,
        coalesce(legs.value_moved, 0) as lifecycle_value
    from new_position_daily as daily
    inner join changes
        on
            daily.account_id = changes.account_id
            and daily.trading_date = changes.trading_date
            and daily.instrument_id = changes.instrument_id
    left join (
        select account_id, trading_date, instrument_id, sum(cash) as cash, sum(value_moved) as value_moved
        from (
            select account_id, trading_date, instrument_id, 0 as cash, -value_moved as value_moved
            from core.lifecycle_event
            where confidence <> 'MANUAL' and trading_date between $from_date and $to_date
            union all
            select account_id, trading_date, underlying_instrument_id, cash, value_moved
            from core.lifecycle_event
            where confidence <> 'MANUAL' and trading_date between $from_date and $to_date and kind not in ('EXPIRY', 'SPLIT')
        ) as each_leg
        group by account_id, trading_date, instrument_id
    ) as legs
        on
            daily.account_id = legs.account_id
            and daily.trading_date = legs.trading_date
            and daily.instrument_id = legs.instrument_id
    where daily.total_source = 'EXECUTIONS'
),

restated as (
    select
        stored.account_id,
        stored.instrument_id,
        stored.trading_date,
        stored.run_id,
        stored.known_from,
        stored.version,
        stored.total_pnl
    from pnl.position_daily_version as stored
    where
        stored.trading_date between $from_date and $to_date
        and stored.reason = 'PRICE_CORRECTION' and stored.known_to > now()
),

-- a mark that was corrected moves P&L from one day to the next, and makes none
moved as (
    select
        restated.account_id,
        restated.instrument_id,
        restated.trading_date,
        restated.run_id,
        restated.total_pnl - former.total_pnl as here,
        next_now.total_pnl - next_then.total_pnl as there,
        next_now.reason
    from restated
    inner join pnl.position_daily_version as former
        on
            restated.account_id = former.account_id
            and restated.instrument_id = former.instrument_id
            and restated.trading_date = former.trading_date
            and restated.version = former.version + 1
            and former.trading_date between $from_date and $to_date
    inner join pnl.position_daily_version as next_now
        on
            restated.account_id = next_now.account_id
            and restated.instrument_id = next_now.instrument_id
            and restated.trading_date = next_now.prev_trading_date
            and restated.known_from = next_now.known_from
    inner join pnl.position_daily_version as next_then
        on
            next_now.account_id = next_then.account_id
            and next_now.instrument_id = next_then.instrument_id
            and next_now.trading_date = next_then.trading_date
            and next_now.version = next_then.version + 1
            and next_then.trading_date between $from_date and $to_date
    -- only where the mark alone differs, and the day before it was not restated too
    where
        restated.total_pnl is not null and next_now.reason = 'PRICE_CORRECTION'
        and next_now.trading_date between $from_date and $to_date
        and not exists (
            select 1 from restated as earlier
            where
                earlier.account_id = restated.account_id and earlier.instrument_id = restated.instrument_id
                and earlier.trading_date < restated.trading_date and earlier.known_from = restated.known_from
        )
        and not exists (
            select 1 from restated as later
            where
                later.account_id = restated.account_id and later.instrument_id = restated.instrument_id
                and later.trading_date > next_now.trading_date and later.known_from = restated.known_from
        )
)

select
    trading_date, account_id, instrument_id, run_id,
    'total_is_realized_plus_unrealized' as check_name,
    cast(total_pnl as varchar) as value,
    cast(realized_pnl + unrealized_change as varchar) as expected,
    'total P&L is not realized + change of unrealized' as message
from new_position_daily
where abs(total_pnl - realized_pnl - unrealized_change) > 0.000001
union all
select
    trading_date, account_id, instrument_id, run_id,
    'total_is_position_plus_day',
    cast(total_pnl as varchar), cast(position_pnl + day_pnl as varchar),
    'total P&L is not carried position + day''s trading'
from exact
-- cash in lieu is neither carried nor traded
where
    abs(total_pnl - position_pnl - day_pnl) > 0.000001 and price_consistent and cost_consistent
    and adjusted_cash = 0
union all
-- over any number of days the values between cancel: the sum of totals is the change of value plus the cash received
select
    trading_date, account_id, instrument_id, run_id,
    'total_telescopes',
    cast(total_pnl as varchar),
    cast(
        market_value - market_value_prev + coalesce(sold_notional, 0) - coalesce(bought_notional, 0)
        + lifecycle_cash + adjusted_cash - lifecycle_value - adjusted_value as varchar
    ),
    'total P&L is not the change of value plus the cash received less the value moved'
from exact
where
    cost_consistent
    and abs(
        total_pnl - (
            market_value - market_value_prev + coalesce(sold_notional, 0) - coalesce(bought_notional, 0)
            + lifecycle_cash + adjusted_cash - lifecycle_value - adjusted_value
        )
    ) > 0.000001
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
    trading_date, account_id, null, run_id,
    'equity_rolls_forward',
    cast(eod_equity - sod_equity - flow as varchar), cast(broker_net as varchar),
    'equity at the end less equity at the start less flow is not the net P&L'
from new_account_daily
where sod_equity is not null and abs(eod_equity - sod_equity - flow - broker_net) > 0.000001
union all
select
    account_eod.trading_date, account_eod.account_id, null, account_eod.run_id,
    'day_is_a_session', cast(account_eod.trading_date as varchar), null,
    'an end of day stands on a date without a session'
from core.account_eod
left join core.calendar on account_eod.trading_date = calendar.trading_date
where account_eod.trading_date between $from_date and $to_date and calendar.trading_date is null
union all
select
    account_eod.trading_date, account_eod.account_id, null, account_eod.run_id,
    'day_was_expected', cast(account_eod.trading_date as varchar), null,
    'an end of day stands where no account was expected: neither known nor a gap'
from core.account_eod
left join core.expected_day
    on account_eod.account_id = expected_day.account_id and account_eod.trading_date = expected_day.trading_date
where account_eod.trading_date between $from_date and $to_date and expected_day.account_id is null
union all
select
    account_eod.trading_date, account_eod.account_id, null, account_eod.run_id,
    'rows_landed_once', cast(count(*) as varchar), cast(count(distinct position_eod.instrument_id) as varchar),
    'an instrument stands twice in an account''s end of day'
from core.account_eod
inner join core.position_eod
    on account_eod.account_id = position_eod.account_id and account_eod.trading_date = position_eod.trading_date
where account_eod.trading_date between $from_date and $to_date
group by account_eod.trading_date, account_eod.account_id, account_eod.run_id
having count(*) <> count(distinct position_eod.instrument_id)
union all
select
    event.trading_date, event.account_id, event.instrument_id, null,
    'event_moves_what_is_held', cast(event.contracts as varchar), null,
    'an event moves more contracts than were held'
from core.lifecycle_event as event
inner join position_change as change
    on
        event.account_id = change.account_id
        and event.trading_date = change.trading_date
        and event.instrument_id = change.instrument_id
where
    event.kind in ('EXERCISE', 'ASSIGNMENT', 'EXPIRY') and event.trading_date between $from_date and $to_date
    and event.contracts > abs(change.quantity_prev)
union all
select
    trading_date, account_id, instrument_id, run_id,
    'restated_mark_makes_no_pnl', cast(here as varchar), cast(-there as varchar),
    'a corrected mark changed the sum of two days'
from moved
where abs(here + there) > 0.000001
union all
select
    exposure.trading_date, exposure.account_id, null, null,
    'exposure_adds_up', cast(exposure.net as varchar),
    cast(exposure.long_market_value + exposure.short_market_value as varchar),
    'net exposure is not long plus short'
from pnl.exposure_daily as exposure
where
    exposure.trading_date between $from_date and $to_date
    and (
        exposure.net <> exposure.long_market_value + exposure.short_market_value
        or exposure.gross <> exposure.long_market_value - exposure.short_market_value
    )
union all
select
    period.trading_date, period.account_id, null, null,
    'period_sums_days', cast(period.itd as varchar), cast(period_before.itd + daily.total_pnl as varchar),
    'inception to date is not that of the day before plus the day'
from pnl.period
inner join new_account_daily as daily
    on period.account_id = daily.account_id and period.trading_date = daily.trading_date
inner join pnl.period as period_before
    on daily.account_id = period_before.account_id and daily.prev_trading_date = period_before.trading_date
where
    period.trading_date between $from_date and $to_date
    and period.itd <> period_before.itd + daily.total_pnl + period.prior_period_adjustment
    and not exists (
        select 1 from core.period_lock
        where daily.trading_date <= period_lock.locked_through
    )
