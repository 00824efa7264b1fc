-- What became of options in the period: exercised, assigned, expired, let lapse, settled in cash, or not known.
select
    trading_date,
    account_id,
    symbol,
    array_to_string(
        list_filter(
            flags,
            lambda flag: flag in (
                'EXERCISED', 'ASSIGNED_INFERRED', 'EXPIRED_WORTHLESS', 'LAPSED_BY_INSTRUCTION', 'EXERCISED_PARTIAL',
                'EXPIRY_OUTCOME_UNKNOWN', 'EXPIRY_ASSUMED', 'CASH_SETTLEMENT'
            )
        ),
        ' '
    ) as event,
    quantity_prev,
    quantity,
    realized_pnl,
    total_pnl
from pnl.position_daily
where trading_date between $first_date and $day and event <> ''
order by trading_date desc, account_id, symbol
