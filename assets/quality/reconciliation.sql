-- How far a day agrees with the broker's own figures, and those with each other: OK, WARN, BREAK or NOT_CHECKED, the difference (ours less the
-- broker's) and, while it lasts, the age of a difference in trading days, with what to do about it. A session that the broker's history alone tells of is here too.
with latest as (
    select max(calendar.session_number) as session_number
    from core.calendar
    inner join quality.comparison on calendar.trading_date = comparison.trading_date
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
    case
        when comparison.status not in ('BREAK', 'WARN') then null
        when comparison.check_name in ('total_vs_balances', 'total_vs_history', 'net_after_fees_vs_history')
            then
                'compare the day''s trades with the broker''s: fills that it corrected later than two sessions after come with '
                || '`daybook backfill --fills --from ' || cast(comparison.trading_date as string) || '`; where the trades agree, ask it '
                || 'about its P&L of the day'
        when comparison.check_name in ('realized_vs_history', 'unrealized_change_vs_history')
            then 'ask the broker which lots it relieves: the total is not touched by it'
        when comparison.check_name = 'income_estimate_vs_fees_and_other'
            then 'look for the dividend in the statement: it was announced and is not in the P&L'
        when comparison.check_name = 'realized_plus_unrealized_vs_net'
            then 'look in the statement for income that was not announced, such as interest, or for fees larger than usual'
        when comparison.check_name = 'eod_minus_sod_vs_net'
            then 'look in the statement for a deposit or a withdrawal: the equity moved by one, the balances by another'
        when comparison.check_name = 'day_plus_position_vs_net'
            then 'nothing: the broker''s day and position P&L do not add up to its own total, and are not used'
        when comparison.check_name in ('sod_vs_prior_eod', 'sod_vs_prior_history')
            then 'look in the statement for what came, went or was corrected overnight'
        when comparison.check_name in ('long_value_vs_balances', 'short_value_vs_balances')
            then 'compare the positions with the broker''s: its balances have another value of them'
        when comparison.check_name = 'unrealized_vs_balances' then 'compare cost and value of the positions with the broker''s'
        when comparison.check_name = 'equity_vs_balances' then 'ask the broker what is in the equity beside cash and positions'
    end as message,
    comparison.run_id
from (
    select trading_date, account_id, check_name, ours, broker, difference, tolerance, status, run_id
    from quality.comparison
    union all
    select trading_date, account_id, check_name, ours, broker, difference, tolerance, status, run_id
    from history_comparison
) as comparison
inner join core.calendar on comparison.trading_date = calendar.trading_date
cross join latest
