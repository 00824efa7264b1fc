-- What happened to accounts beside their trading, from `first_date` to the day: corporate actions, dividends at their ex-dates, options exercised,
-- assigned and expired, transfers, and the cash that came in or went out as the broker's equity shows it.
with positions as (
    select
        account_id,
        instrument_id,
        trading_date,
        prev_trading_date,
        symbol,
        quantity_prev,
        income_estimate,
        flags
    from pnl.position_daily
    where trading_date between $first_date and $day
),

found as (
    select
        event.trading_date,
        event.account_id,
        case event.kind
            when 'TRANSFER' then case when event.quantity_moved < 0 then 'transfer out' else 'transfer in' end
            else replace(lower(event.kind), '_', ' ')
        end as event,
        coalesce(event.symbol, positions.symbol, event.instrument_id) as symbol,
        event.quantity_moved as quantity,
        coalesce(event.cash, 0) as cash,
        case
            when event.numerator is not null
                then
                    concat(
                        rtrim(rtrim(cast(event.numerator as varchar), '0'), '.'), ':',
                        rtrim(rtrim(cast(event.denominator as varchar), '0'), '.')
                    )
            when event.confidence = 'INSTRUCTED' then 'as instructed'
            else event.evidence
        end as note
    from core.lifecycle_event as event
    left join positions
        on
            event.account_id = positions.account_id
            and event.instrument_id = positions.instrument_id
            and event.trading_date = positions.trading_date
    where event.trading_date between $first_date and $day
    union all
    select
        trading_date,
        account_id,
        'expiry',
        symbol,
        -quantity_prev,
        null,
        'nobody knows yet what became of it'
    from positions
    where list_contains(flags, 'EXPIRY_OUTCOME_UNKNOWN')
    union all
    select
        trading_date,
        account_id,
        'dividend',
        symbol,
        quantity_prev,
        income_estimate,
        case when income_estimate < 0 then 'owed on a short position' else 'expected, as announced' end
    from positions
    where income_estimate <> 0
    union all
    select
        today.trading_date,
        today.account_id,
        'new symbol',
        today.symbol,
        today.quantity_prev,
        0,
        'it was ' || before.symbol
    from positions as today
    inner join pnl.position_daily as before
        on
            today.account_id = before.account_id
            and today.instrument_id = before.instrument_id
            and today.prev_trading_date = before.trading_date
    where list_contains(today.flags, 'SYMBOL_CHANGED')
    union all
    -- what was moved in kind is a transfer
    select
        history.trading_date,
        history.account_id,
        case when history.flow - coalesce(daily.transferred_value, 0) < 0 then 'withdrawal' else 'deposit' end,
        null,
        null,
        history.flow - coalesce(daily.transferred_value, 0),
        'as the broker''s equity shows it'
    from pnl.account_history as history
    left join pnl.account_daily as daily
        on history.account_id = daily.account_id and history.trading_date = daily.trading_date
    where
        history.trading_date between $first_date and $day
        and abs(history.flow - coalesce(daily.transferred_value, 0)) > 0.05
)

select
    trading_date,
    account_id,
    event,
    symbol,
    quantity,
    cash,
    note
from found
order by trading_date, account_id, event, symbol
