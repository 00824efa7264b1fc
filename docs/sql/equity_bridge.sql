-- How did each account get from the equity of the morning to that of the evening?
-- On the last day: start + P&L of positions + fees and income + money in or out = end. unexplained is what is left over between our P&L and the broker's equity; it
-- should be 0, and where it isn't, breaks_by_age.sql has the rest of the story.
select
    account_id,
    trading_date,
    sod_equity,
    total_pnl,
    fees_and_other,
    flow,
    eod_equity - sod_equity - total_pnl - fees_and_other - flow as unexplained,
    eod_equity
from pnl.account_daily
qualify trading_date = max(trading_date) over ()
order by account_id
