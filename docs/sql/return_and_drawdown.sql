-- What has each account returned, time-weighted, and how deep was its worst drawdown?
-- Fractions: 0.01 is one per cent, after fees, from the broker's own equity. A day that was missed counts with the broker's history of it; null from the first
-- one on that neither the books nor that history know, so known_until says how far the figures reach.
select
    account_id,
    max(trading_date) filter (where twr_itd is not null) as known_until,
    arg_max(twr_itd, trading_date) filter (where twr_itd is not null) as twr,
    min(drawdown) as worst_drawdown,
    arg_min(trading_date, drawdown) as worst_on,
    max(gap_days) as gap_days
from pnl.period
group by account_id
order by account_id
