-- Days of an account that a snapshot of the next session stands in for, each with the last day before it whose end was read (`anchor`): from there
-- the fills are counted that prove what was held.
select
    day.account_id,
    day.trading_date,
    day.run_id,
    day.captured_at,
    day.recovered_at,
    calendar.next_trading_date,
    anchor.trading_date as anchor_date,
    anchor.run_id as anchor_run_id,
    anchor.captured_at as anchor_at
from core.account_eod as day
inner join core.calendar on day.trading_date = calendar.trading_date
inner join core.account_eod as anchor
    on
        day.account_id = anchor.account_id
        and day.trading_date > anchor.trading_date
        and anchor.grade <> 'RECOVERED'
where day.grade = 'RECOVERED' and day.trading_date between $from_date and $to_date
qualify row_number() over (partition by day.account_id, day.trading_date order by anchor.trading_date desc) = 1
