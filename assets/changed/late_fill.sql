-- Days of fills that a new run saw first, or in another form than any run before it.
select distinct calendar.trading_date
from (
    select account_id, id, instrument_id, side, quantity, price, transaction_time
    from raw.executions where run_id in (select run_id from new_run)
    except
    select account_id, id, instrument_id, side, quantity, price, transaction_time
    from raw.executions
    where
        run_id not in (select run_id from new_run)
        and transaction_time >= (
            select min(transaction_time) from raw.executions where run_id in (select run_id from new_run)
        )
) as fill
inner join core.calendar
    on fill.transaction_time > calendar.owns_from and fill.transaction_time <= calendar.post_close
