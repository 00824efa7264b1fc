-- A mark that was corrected moves P&L from one day (`here`) to the next (`there`), and makes none: positions of which the mark alone was restated.
with restated as (
    select
        account_id,
        instrument_id,
        trading_date,
        run_id,
        known_from,
        version,
        total_pnl
    from pnl.position_daily_version
    where
        trading_date between $from_date and $to_date
        and reason = 'PRICE_CORRECTION' and known_to > now()
)

select
    restated.account_id,
    restated.instrument_id,
    restated.trading_date,
    restated.run_id,
    restated.total_pnl - former.total_pnl as here,
    next_now.total_pnl - next_then.total_pnl as there
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
