-- What deserves a look in what was traded: fills that the broker had listed and lists no longer.
select
    trading_date, account_id, instrument_id, null as run_id,
    'fill_withdrawn' as check_name, 'WARN' as severity,
    cast(sum(withdrawn_fills) as string) as value,
    '0' as expected,
    'fills that the broker had listed are gone from its list, so they do not count: '
    || 'ask it whether they were cancelled; one that it lists again counts again' as message
from core.trade_flow
where trading_date between $from_date and $to_date and withdrawn_fills > 0
group by trading_date, account_id, instrument_id
