-- How has each account done this month, this quarter, this year, over a year and since it was opened, and at what risk?
-- As of the last session of each (or `where as_of = date '...'`); the line without an account is all of a currency together. Returns are net of fees,
-- fractions (0.01 is one per cent). What links returns is null over a hole, a session whose return nobody knows; the other figures are of the sessions that are known.
select
    coalesce(account_id, 'all') as account,
    currency,
    as_of,
    "window",
    from_date,
    sessions,
    holes,
    total_pnl,
    twr,
    annualized_return,
    volatility,
    sharpe,
    sortino,
    max_drawdown,
    max_drawdown_from,
    max_drawdown_to,
    recovered_on,
    win_rate,
    profit_factor
from pnl.performance
where is_latest
order by account_id nulls last, currency, from_date desc, "window"
