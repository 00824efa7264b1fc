-- Which snapshots speak for an account's day. Quantities come from the last whole one taken between the close and 20:00 (else from the last later
-- one), broker's daily figures from the last of those that had not rolled, marks from the one with the official closes. Where nobody read the
-- end of the day, a snapshot of the next session stands in for it, as of 20:00 of the day, and its daily figures are of another day.
with eligible as (
    select
        account_id,
        trading_date,
        run_id,
        grade,
        finality,
        rolled,
        captured_at,
        finished_at,
        instructions_complete,
        position_count
    from core.snapshot_grade
    where trading_date between $from_date and $to_date and eligible
),

quantities as (
    select
        account_id,
        trading_date,
        run_id,
        grade,
        captured_at,
        finished_at,
        instructions_complete,
        position_count
    from eligible
    qualify row_number() over (
        partition by account_id, trading_date
        order by case when grade = 'POST_CLOSE' then 0 else 1 end, captured_at desc, run_id desc
    ) = 1
),

daily_fields as (
    select account_id, trading_date, run_id
    from eligible
    where grade = 'POST_CLOSE' and not rolled
    qualify row_number() over (partition by account_id, trading_date order by captured_at desc, run_id desc) = 1
),

marks as (
    select account_id, trading_date, run_id, finality, finished_at
    from eligible
    qualify row_number() over (
        partition by account_id, trading_date
        order by case when finality = 'FINAL' then 0 else 1 end, captured_at desc, run_id desc
    ) = 1
)

select
    quantities.account_id,
    quantities.trading_date,
    quantities.run_id,
    marks.run_id as marks_run_id,
    daily_fields.run_id as daily_fields_run_id,
    quantities.grade,
    marks.finality,
    quantities.captured_at,
    quantities.instructions_complete as instructions_loaded,
    quantities.position_count,
    greatest(quantities.finished_at, marks.finished_at) as known_at,
    null as recovered_from,
    null as recovered_at
from quantities
inner join marks
    on quantities.account_id = marks.account_id and quantities.trading_date = marks.trading_date
left join daily_fields
    on quantities.account_id = daily_fields.account_id and quantities.trading_date = daily_fields.trading_date
union all
select
    account_id,
    trading_date,
    run_id,
    run_id as marks_run_id,
    null as daily_fields_run_id,
    'RECOVERED' as grade,
    finality,
    post_close as captured_at,
    instructions_complete as instructions_loaded,
    null as position_count,
    known_at,
    grade as recovered_from,
    captured_at as recovered_at
from stand_in
where fills_known_at is not null
