-- Days of lines that were added to adjustments.csv, changed in it or taken back; of two equal lines each counts.
with now_said as (
    select trading_date, account_id, kind, instrument_id, to_instrument_id, quantity, cash, value, cost_basis, author, note
    from input_adjustment
),

said_before as (
    select trading_date, account_id, kind, instrument_id, to_instrument_id, quantity, cash, value, cost_basis, author, note
    from core.position_adjustment
)

select trading_date
from (
    select * from now_said
    except all
    select * from said_before
) as added
union
select trading_date
from (
    select * from said_before
    except all
    select * from now_said
) as gone
