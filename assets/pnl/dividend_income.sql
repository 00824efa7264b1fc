-- Dividends of a day by position: the quantity held before, times what the broker announced for the ex-dates that the day covers.
with dividends_observed as (
    select
        instrument_id,
        event_date,
        dividend_amount
    from raw.corporate_events
    where event_type = 'DIVIDEND' and dividend_amount is not null
    qualify row_number() over (partition by instrument_id, event_date, sequence order by run_id desc) = 1
)

select
    change.account_id,
    change.trading_date,
    change.instrument_id,
    -- what was held when the first snapshot was taken says nothing of the evening before
    try_cast(sum(try(
        case when change.prev_trading_date is not null then change.quantity_prev end
        * dividends_observed.dividend_amount
    )) as decimal(28, 10)) as income_estimate
from position_change as change
inner join dividends_observed
    on
        change.instrument_id = dividends_observed.instrument_id
        and dividends_observed.event_date > coalesce(change.prev_trading_date, change.trading_date - 1)
        and dividends_observed.event_date <= change.trading_date
group by change.account_id, change.trading_date, change.instrument_id
