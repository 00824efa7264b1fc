-- Since when is the history of each account known, and who tells of it?
-- BOOKS: days of the books. BROKER: sessions before them or missed since, which portfolio-history tells of. REMAINDER and SPAN: days of the books that cover
-- missed sessions, with what the broker has of those taken off, or as they are; sessions counts what they cover.
select
    account_id,
    source,
    min(trading_date) as first_day,
    max(trading_date) as last_day,
    sum(days_covered) as sessions,
    sum(total_pnl) as total_pnl,
    count(*) filter (where total_pnl is null) as days_not_known,
    count(*) filter (where daily_return is null) as returns_not_known
from pnl.account_history
group by account_id, source
order by account_id, first_day
