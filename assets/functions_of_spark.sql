-- Spark's form of the functions that the selects call: what functions.sql says of each, with types. A decimal keeps its digits as long as it is
-- compared with one, so what is told in floating point has functions of its own there, too.

-- sqlfluff:dialect:sparksql
-- noqa: disable=LT01

-- With the digits that DuckDB has for the product of a price of eight places; a sum of ten places is paid for one share.
create temporary function value_of(quantity decimal(38, 8), price decimal(38, 10), multiplier decimal(12, 4)) returns decimal(28, 10)
return try_cast(round(case
    when price = try_cast(price as decimal(24, 8))
        then try_multiply(try_multiply(multiplier, try_cast(price as decimal(24, 8))), try_cast(quantity as decimal(24, 8)))
    when quantity = 1 then try_multiply(multiplier, price)
    else try_multiply(try_multiply(multiplier, price), try_cast(quantity as decimal(24, 8)))
end, 10) as decimal(28, 10));
create temporary function amount_of(quantity decimal(24, 8), price decimal(24, 8)) returns decimal(38, 16)
return try_multiply(quantity, price);

-- DuckDB rounds and casts the number itself, half away from zero; Spark its shortest decimal form.
create temporary function nearest(figure double) returns double
return case
    when abs(figure) >= 4503599627370496 then figure
    else sign(figure) * (floor(abs(figure)) + case when abs(figure) - floor(abs(figure)) >= 0.5 then 1 else 0 end)
end;
create temporary function rounded(figure double, places int) returns double
return nearest(figure * pow(10, places)) / pow(10, places);
create temporary function whole(figure double) returns decimal(38, 0)
return cast(floor(figure / 4294967296) as decimal(20, 0)) * 4294967296
+ cast(cast(figure - floor(figure / 4294967296) * cast(4294967296 as double) as bigint) as decimal(20, 0));
create temporary function as_quantity(figure double) returns decimal(24, 8)
return case
    when abs(figure) < 1e16 then cast(whole(nearest(rounded(figure, 8) * 1e8)) * 0.00000001 as decimal(24, 8))
end;
create temporary function in_millionths(figure double) returns decimal(28, 10)
return case
    when abs(figure) < 1e18 then cast(whole(nearest(rounded(figure, 6) * 1e6)) * 0.000001 as decimal(28, 10))
end;
create temporary function as_share(figure double) returns decimal(9, 8)
return cast(cast(nearest(figure * 1e8) as bigint) * 0.00000001 as decimal(9, 8));

create temporary function ratio_to(pnl double, equity double) returns decimal(18, 10)
return case
    when abs(pnl) < 1e8 * abs(equity) then cast(cast(nearest(pnl / nullif(equity, 0) * 1e10) as bigint) * 0.0000000001 as decimal(18, 10))
end;
create temporary function daily_return(net_pnl decimal(28, 10), sod_equity decimal(28, 10), flow decimal(28, 10)) returns decimal(18, 10)
return case
    when sod_equity > 0 and net_pnl >= -(sod_equity + greatest(flow, 0))
        then ratio_to(cast(net_pnl as double), cast(sod_equity + greatest(flow, 0) as double))
end;

create temporary function tolerance(positions bigint) returns decimal(28, 10)
return greatest(0.05, 0.01 * positions);
create temporary function cent() returns decimal(2, 2)
return 0.01;

create temporary function unit_near(ratio double) returns decimal(12, 4)
return case
    when ratio >= 1000000 or ratio <= 0 then null
    when abs(ratio - nearest(ratio)) <= 0.005 * ratio then cast(nearest(ratio) as decimal(12, 4))
    when abs(ratio - rounded(ratio, 2)) <= 0.005 * ratio then cast(rounded(ratio, 2) as decimal(12, 4))
    else cast(rounded(ratio, 4) as decimal(12, 4))
end;
create temporary function is_same_unit(ratio double, unit double) returns boolean
return abs(ratio / nullif(unit, 0) - 1) <= 0.25;

create temporary function written(quantity decimal(38, 10)) returns string
return trim(trailing '.' from trim(trailing '0' from cast(try_cast(quantity as decimal(24, 8)) as string)));
create temporary function written_per_cent(figure double) returns string
return regexp_replace(regexp_replace(cast(cast(rounded(figure, 4) as decimal(24, 4)) as string), '0+\\z', ''), '\\.\\z', '.0');
create temporary function written_day(day date) returns string
return date_format(day, 'd MMMM yyyy');

create temporary function differs(one decimal(38, 10), other decimal(38, 10)) returns boolean
return abs(one - other) > 0.000001;
create temporary function differs_in_floating_point(one double, other double) returns boolean
return abs(one - other) > 0.000001;

create temporary function is_end_of_day(grade string) returns boolean
return grade in ('POST_CLOSE', 'LATE');
create temporary function is_stand_in(grade string) returns boolean
return grade in ('PRE_OPEN', 'INTRADAY');

create temporary function qualities() returns array<string>
return array('EXACT', 'REPORTED', 'ASSUMED', 'IMPLIED', 'UNKNOWN');
create temporary function quality_rank(quality string) returns int
return cast(nullif(array_position(qualities(), quality), 0) as int);
create temporary function quality_of(place int) returns string
return element_at(qualities(), place);

create temporary function near_the_strike(strike decimal(28, 10)) returns decimal(38, 10)
return 0.01 * strike;

create temporary function is_called_like_a_share(symbol string) returns boolean
return coalesce(rlike(trim(symbol), '^[A-Za-z0-9./-]{1,8}( [A-Z]{1,3})?\\z'), true);

create temporary function osi_pattern() returns string
return '^([A-Z0-9./]{1,6}) *([0-9]{6})([CP])([0-9]{8})\\z';
create temporary function osi_root(symbol string) returns string
return nullif(regexp_extract(symbol, osi_pattern(), 1), '');
create temporary function osi_terms(symbol string) returns string
return case when rlike(symbol, osi_pattern()) then right(symbol, 15) end;
create temporary function osi_expiry(terms string) returns date
return try_cast('20' || substr(terms, 1, 2) || '-' || substr(terms, 3, 2) || '-' || substr(terms, 5, 2) as date);
create temporary function osi_right(terms string) returns string
return case substr(terms, 7, 1) when 'C' then 'CALL' when 'P' then 'PUT' end;
create temporary function osi_strike(terms string) returns decimal(24, 8)
return cast(cast(substr(terms, 8, 8) as decimal(24, 8)) * cast(0.001 as decimal(4, 3)) as decimal(24, 8));

create temporary function no_flags() returns array<string>
return cast(array() as array<string>);
create temporary function joined(words array<string>) returns string
return case when size(words) > 0 then array_join(array_sort(words), ',') end;
create temporary function product_of(ratios array<double>) returns double
return case when size(ratios) > 0 then aggregate(array_sort(ratios), cast(1 as double), (whole, ratio) -> whole * ratio) end;
create temporary function json_text(document string, place string) returns string
return get_json_object(document, place);
