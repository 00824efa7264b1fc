-- Income and fees of the day by account: the broker tells them as one figure, of which the dividends that were expected are told apart. What remains is
-- fees, interest and accruals.
with dividends as (
    select
        account_id,
        sum(income_estimate) as amount
    from pnl.position_daily
    where trading_date = $day
    group by account_id
)

select
    daily.account_id,
    daily.broker_net - daily.fees_and_other as before_fees,
    coalesce(dividends.amount, 0) as dividends,
    daily.fees_and_other - coalesce(dividends.amount, 0) as fees,
    daily.fees_and_other,
    daily.broker_net as net
from pnl.account_daily as daily
left join dividends on daily.account_id = dividends.account_id
where daily.trading_date = $day and daily.fees_and_other is not null
order by abs(daily.fees_and_other) desc, daily.account_id
