-- What has changed in the broker's API lately: fields or values that daybook doesn't know, documented fields that came or went?
-- Nothing here is lost (unknown fields are kept as JSON in the column `extra`) and nothing is an error; it is what a programmer should look at before the broker's
-- next change turns it into one.
select
    endpoint,
    kind,
    name,
    min(trading_date) as first_seen,
    max(trading_date) as last_seen,
    count(distinct run_id) as runs,
    sum(row_count) as rows_affected
from quality.drift
group by endpoint, kind, name
order by first_seen desc, endpoint asc, kind asc, name asc
