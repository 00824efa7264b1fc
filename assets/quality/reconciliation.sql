-- How far a day agrees with the broker's own figures: OK, WARN, BREAK or NOT_CHECKED, the difference (ours less the broker's) and, while it
-- lasts, the age of a difference in trading days, with what to do about it.
with latest as (
    select max(calendar.session_number) as session_number
    from core.calendar
    inner join quality.comparison on calendar.trading_date = comparison.trading_date
),

advice (check_name, message) as (
    values
    ('total_vs_balances', 'compare the day''s trades with the broker''s; where they agree, ask it about its P&L of the day'),
    ('total_vs_history', 'compare the day''s trades with the broker''s; where they agree, ask it about its P&L of the day'),
    ('net_after_fees_vs_history', 'compare the day''s trades with the broker''s; where they agree, ask it about its P&L of the day'),
    ('realized_vs_history', 'ask the broker which lots it relieves: the total is not touched by it'),
    ('unrealized_change_vs_history', 'ask the broker which lots it relieves: the total is not touched by it'),
    ('income_estimate_vs_fees_and_other', 'look for the dividend in the statement: it was announced and is not in the P&L'),
    (
        'realized_plus_unrealized_vs_net',
        'look in the statement for income that was not announced, such as interest, or for fees larger than usual'
    ),
    ('eod_minus_sod_vs_net', 'look in the statement for a deposit or a withdrawal: equity shows it, the balances show another'),
    ('day_plus_position_vs_net', 'nothing: the broker''s day and position P&L do not add up to its own total, and are not used'),
    ('sod_vs_prior_eod', 'look in the statement for what came, went or was corrected overnight'),
    ('long_value_vs_balances', 'compare the positions with the broker''s: its balances have another value of them'),
    ('short_value_vs_balances', 'compare the positions with the broker''s: its balances have another value of them'),
    ('unrealized_vs_balances', 'compare cost and value of the positions with the broker''s'),
    ('equity_vs_balances', 'ask the broker what is in the equity beside cash and positions')
)

select
    comparison.trading_date,
    comparison.account_id,
    comparison.check_name,
    comparison.ours,
    comparison.broker,
    comparison.difference,
    comparison.tolerance,
    comparison.status,
    case
        when comparison.status in ('BREAK', 'WARN') then cast(latest.session_number - calendar.session_number as integer)
    end as age_days,
    case when comparison.status in ('BREAK', 'WARN') then advice.message end as message,
    comparison.run_id
from quality.comparison
inner join core.calendar on comparison.trading_date = calendar.trading_date
left join advice on comparison.check_name = advice.check_name
cross join latest
