-- What was traded: fills of each account and instrument summed by trading date, per share before the multiplier; those outside the regular
-- session by their instant too (`outside_at`), for a snapshot may have been taken before or after them. One without a price (a multileg) or with
-- a side nobody knows is counted apart, never guessed, and so is one that the broker has withdrawn.
select
    account_id,
    instrument_id,
    trading_date,
    outside_at,
    max(symbol) as symbol,
    max(underlying_instrument_id) as underlying_instrument_id,
    count(*) filter (where counts) as fills,
    count(*) filter (where counts and value_of(signed_quantity, price, 1) is null) as unpriced_fills,
    count(*) filter (where not counts) as withdrawn_fills,
    try_cast(coalesce(sum(signed_quantity), 0) as decimal(24, 8)) as net_quantity,
    try_cast(coalesce(sum(quantity) filter (where signed_quantity > 0), 0) as decimal(24, 8)) as bought_quantity,
    try_cast(coalesce(sum(quantity) filter (where signed_quantity < 0), 0) as decimal(24, 8)) as sold_quantity,
    try_cast(coalesce(
        sum(value_of(quantity, price, 1)) filter (where signed_quantity > 0), 0
    ) as decimal(28, 10)) as bought_per_share,
    try_cast(coalesce(
        sum(value_of(quantity, price, 1)) filter (where signed_quantity < 0), 0
    ) as decimal(28, 10)) as sold_per_share,
    max(known_at) as known_at
from fill_observed
where trading_date between $from_date and $to_date and instrument_id is not null
group by account_id, instrument_id, trading_date, outside_at
