-- Rules that are one expression, each once: DuckDB's form of the functions that the selects call. A build and a report make them for their own
-- connection, so no view of the published copy may call them.

-- What a quantity is worth at a price, rounded once. To round 128 bits takes a microsecond, so what has no more than four places is guessed
-- in floating point, and the guess proven by the exact product. What is too large for its column is unknown, for one absurd row of a broker's must
-- not keep the rest of the book from being built.
create or replace temporary macro value_guess(quantity, price, multiplier) as
try_cast(cast(quantity as double) * cast(price as double) * cast(multiplier as double) as decimal(18, 4));

create or replace temporary macro value_of(quantity, price, multiplier) as
case
    when value_guess(quantity, price, multiplier) = try(quantity * price * multiplier)
        then cast(value_guess(quantity, price, multiplier) as decimal(28, 10))
    -- in another order: DuckDB takes a common part of two expressions out of the try() that guards it
    else try(cast(round(multiplier * price * quantity, 10) as decimal(28, 10)))
end;

-- What is paid on a quantity. What is too large is unknown here, too.
create or replace temporary macro amount_of(quantity, price) as try(quantity * price);

-- A figure in floating point as a column has it: a quantity or price, money to the millionth, and a share of a whole.
create or replace temporary macro rounded(figure, places) as round(figure, places);
create or replace temporary macro as_quantity(figure) as try_cast(round(figure, 8) as decimal(24, 8));
create or replace temporary macro in_millionths(figure) as try_cast(try_cast(round(figure, 6) as decimal(28, 6)) as decimal(28, 10));
create or replace temporary macro as_share(figure) as cast(figure as decimal(9, 8));

-- A day's return on the equity at its start. An inflow is there from the start of the day, an outflow until its end. On nothing, or less,
-- there is no return, and none can be below -100 %.
create or replace temporary macro ratio_to(pnl, equity) as
try_cast(round(cast(pnl as double) / nullif(cast(equity as double), 0), 10) as decimal(18, 10));
create or replace temporary macro daily_return(net_pnl, sod_equity, flow) as
case
    when sod_equity > 0 and net_pnl >= -(sod_equity + greatest(flow, 0))
        then ratio_to(net_pnl, sod_equity + greatest(flow, 0))
end;

-- How far an account's figure may be from the broker's: every position may be off by a cent.
create or replace temporary macro tolerance(positions) as greatest(0.05, 0.01 * positions);

-- How far one reported figure may be from another.
create or replace temporary macro cent() as 0.01;

-- The unit that a ratio of money to quantity x price means. Averages are rounded by the broker, so 99.98 means 100.
create or replace temporary macro unit_near(ratio) as
case
    when ratio >= 1000000 or ratio <= 0 then null
    when abs(ratio - round(ratio)) <= 0.005 * ratio then cast(round(ratio) as decimal(12, 4))
    when abs(ratio - round(ratio, 2)) <= 0.005 * ratio then cast(round(ratio, 2) as decimal(12, 4))
    else cast(round(ratio, 4) as decimal(12, 4))
end;

-- Whether a ratio differs from a unit by no more than a price of another moment explains.
create or replace temporary macro is_same_unit(ratio, unit) as abs(ratio / unit - 1) <= 0.25;

-- A quantity as people write it: no zeros at the end, and no power of ten, which a file could not be given.
create or replace temporary macro written(quantity) as rtrim(rtrim(cast(try_cast(quantity as decimal(24, 8)) as varchar), '0'), '.');
create or replace temporary macro written_per_cent(figure) as cast(round(figure, 4) as varchar);
-- A day as people write it.
create or replace temporary macro written_day(day) as strftime(day, '%-d %B %Y');

-- How far figures of our own may be from each other: where a cost is shared out it is rounded to the millionth.
create or replace temporary macro differs(one, other) as abs(one - other) > 0.000001;
create or replace temporary macro differs_in_floating_point(one, other) as abs(one - other) > 0.000001;

-- Whether a snapshot of that grade may be an end of day.
create or replace temporary macro is_end_of_day(grade) as grade in ('POST_CLOSE', 'LATE');
-- Whether it may stand in for the end of the session before, where nobody read that.
create or replace temporary macro is_stand_in(grade) as grade in ('PRE_OPEN', 'INTRADAY');

-- The qualities of a figure from the best to the worst, and their ranks: a sum is as good as the worst of its parts.
create or replace temporary macro qualities() as ['EXACT', 'REPORTED', 'ASSUMED', 'IMPLIED', 'UNKNOWN'];
create or replace temporary macro quality_rank(quality) as list_position(qualities(), quality);
create or replace temporary macro quality_of(rank) as list_extract(qualities(), rank);

-- How far from an option's strike a close decides nothing yet: news may follow it before the cut-off for instructions.
create or replace temporary macro near_the_strike(strike) as 0.01 * strike;

-- Whether a symbol is one of a share, whose price is for one: a bond has a CUSIP, or a name with its coupon and maturity.
create or replace temporary macro is_called_like_a_share(symbol) as
coalesce(regexp_matches(trim(symbol), '^[A-Za-z0-9./-]{1,8}( [A-Z]{1,3})?$'), true);

-- An option's symbol in the form of the OSI: its underlying's, the expiry as YYMMDD, C or P, and the strike in thousandths. Its terms are the
-- last fifteen characters; null where the symbol has another form.
create or replace temporary macro osi_pattern() as '^([A-Z0-9./]{1,6}) *([0-9]{6})([CP])([0-9]{8})$';
create or replace temporary macro osi_root(symbol) as nullif(regexp_extract(symbol, osi_pattern(), 1), '');
create or replace temporary macro osi_terms(symbol) as case when regexp_matches(symbol, osi_pattern()) then right(symbol, 15) end;
create or replace temporary macro osi_expiry(terms) as
try_cast('20' || substr(terms, 1, 2) || '-' || substr(terms, 3, 2) || '-' || substr(terms, 5, 2) as date);
create or replace temporary macro osi_right(terms) as case substr(terms, 7, 1) when 'C' then 'CALL' when 'P' then 'PUT' end;
create or replace temporary macro osi_strike(terms) as
cast(cast(substr(terms, 8, 8) as decimal(24, 8)) * cast(0.001 as decimal(4, 3)) as decimal(24, 8));

-- The flags of a row that has none, and words in their order as one text.
create or replace temporary macro no_flags() as cast([] as varchar[]);
create or replace temporary macro joined(words) as array_to_string(list_sort(words), ',');

-- The product of ratios, null of none.
create or replace temporary macro product_of(ratios) as list_product(list_sort(ratios));

-- What a JSON document has in a place.
create or replace temporary macro json_text(document, place) as json_extract_string(document, place);
