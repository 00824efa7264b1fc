-- Instruments that adjustments.csv speaks of and that the account has neither held nor traded by then: nobody knows what such a line means.
with nowhere as (
    select
        adjustments.account_id,
        adjustments.trading_date,
        adjustments.instrument_id
    from adjustment_effect as adjustments
    anti join trade_between as trades
        on
            adjustments.account_id = trades.account_id
            and adjustments.trading_date = trades.trading_date
            and adjustments.instrument_id = trades.instrument_id
    anti join position_before
        on
            adjustments.account_id = position_before.account_id
            and adjustments.trading_date = position_before.day
            and adjustments.instrument_id = position_before.instrument_id
)

select
    account_id,
    trading_date,
    instrument_id
from nowhere
anti join core.position_eod
    on
        nowhere.account_id = position_eod.account_id
        and nowhere.instrument_id = position_eod.instrument_id
        and nowhere.trading_date >= position_eod.trading_date
