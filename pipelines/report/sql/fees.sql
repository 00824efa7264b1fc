-- Income and fees of the day by account, of every account that was expected: the broker tells them as one figure, of which the dividends that were
-- expected are told apart. What remains is fees, interest and accruals. Of a day that covers several, dividends are those of all of them and not told.
with dividends as (
    select
        account_id,
        sum(income_estimate) as amount
    from pnl.position_daily
    where trading_date = $day
    group by account_id
),

parts as (
    select
        expected.account_id,
        daily.broker_net,
        daily.fees_and_other,
        case
            when coalesce(daily.days_covered, 1) = 1 or dividends.amount = 0 then coalesce(dividends.amount, 0)
        end as dividends
    from core.expected_day as expected
    left join pnl.account_daily as daily
        on
            expected.account_id = daily.account_id and expected.trading_date = daily.trading_date
            and daily.fees_and_other is not null
    left join dividends on daily.account_id = dividends.account_id
    where expected.trading_date = $day
)

select
    account_id,
    broker_net - fees_and_other as before_fees,
    case when fees_and_other is not null then dividends end as dividends,
    fees_and_other - dividends as fees,
    fees_and_other,
    broker_net as net
from parts
where exists (select 1 from parts as known where known.fees_and_other is not null)
order by abs(fees_and_other) desc nulls first, account_id
