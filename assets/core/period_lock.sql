-- Periods that were closed, by `daybook lock`: whose, through which trading date, and when. A lock of all accounts has no account.
select
    cast(null as varchar) as account_id,
    cast(null as date) as locked_through,
    cast(null as timestamptz) as locked_at,
    cast(null as varchar) as author
where false
