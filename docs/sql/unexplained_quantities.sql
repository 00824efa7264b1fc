-- Which quantities changed without a fill, an event or a note that explains it?
-- Every row needs somebody: a transfer that nobody noted, a fill that is missing, a wrong line in adjustments.csv. The day's P&L of such a position is not
-- computed from its fills; quality says what it rests on instead.
select
    trading_date,
    account_id,
    symbol,
    quantity_prev,
    coalesce(bought_quantity, 0) - coalesce(sold_quantity, 0) as filled,
    quantity,
    total_pnl,
    total_source,
    quality
from pnl.position_daily
where list_has_any(flags, ['UNEXPLAINED_QUANTITY', 'SPLIT_SUSPECT', 'OPENED_UNCONFIRMED'])
order by trading_date desc, account_id asc, symbol asc
