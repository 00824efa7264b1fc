-- How many contracts of each option that is gone delivered their underlying, at least and at most, with what the stock's own move leaves over for
-- it once every other option on the stock is allowed for: first as prices and instructions expect it; only where the stock says that it was
-- otherwise, whatever is possible. With one multiplier these bounds are exact; with several they may be wider than need be, never narrower.
with chosen as (
    select
        account_id,
        trading_date,
        instrument_id,
        linked_to,
        by_proof,
        stock_move,
        shares,
        coalesce(
            stock_move between sum(least(expected_low * shares, expected_high * shares)) over same_stock
            and sum(greatest(expected_low * shares, expected_high * shares)) over same_stock, false
        ) as is_expected,
        case when is_expected then expected_low else possible_low end as low,
        case when is_expected then expected_high else possible_high end as high,
        least(low * shares, high * shares) as move_low,
        greatest(low * shares, high * shares) as move_high
    from delivery_range
    window same_stock as (partition by account_id, trading_date, linked_to, by_proof)
),

left_over as (
    select
        account_id,
        trading_date,
        instrument_id,
        linked_to,
        by_proof,
        stock_move,
        shares,
        is_expected,
        low,
        high,
        rounded(
            cast(stock_move - sum(move_high) over same_stock + move_high as double) / cast(nullif(shares, 0) as double), 6
        ) as one_end,
        rounded(
            cast(stock_move - sum(move_low) over same_stock + move_low as double) / cast(nullif(shares, 0) as double), 6
        ) as other_end
    from chosen
    window same_stock as (partition by account_id, trading_date, linked_to, by_proof)
)

select
    account_id,
    trading_date,
    instrument_id,
    linked_to,
    by_proof,
    stock_move,
    shares,
    is_expected,
    -- of a contract whose terms nobody knows nothing can be said; least() and greatest() would pass over that
    case when shares <> 0 then greatest(low, cast(ceil(least(one_end, other_end)) as decimal(24, 8))) end as at_least,
    case when shares <> 0 then least(high, cast(floor(greatest(one_end, other_end)) as decimal(24, 8))) end as at_most
from left_over
