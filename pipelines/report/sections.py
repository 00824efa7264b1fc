"""What the report of a day shows, in its order."""

from __future__ import annotations

from pipelines.report.section import Section, columns

_POSITION = """
    symbol               symbol    symbol
    account_id           text      account
    instrument_type      ~text     type
    status               ~text     status
    quantity             quantity  quantity
    market_value         money     value
    carried              ~money    carried
    traded               ~money    traded
    total_pnl            money     P&L before fees
    days_covered         ~integer  sessions
    quality              ~text     quality
    flags                ~prose     flags
"""
#: Sections of what accounts hold or did, all of them together: they say of how many accounts that is known.
OVER_ACCOUNTS = (
    *("best", "worst", "underlyings", "types", "moves", "trades", "events", "dividends", "expiring", "concentration"),
    "positions",
)

DIVIDENDS = Section(
    "dividends",
    "Dividends by line",
    columns("""
        trading_date day      day
        account_id   text     account
        symbol       symbol   symbol
        quantity     quantity held
        amount       money    expected
    """),
    empty="No position had an ex-date.",
    note="As announced, by what was held at the ex-date; negative is owed on a short position. What was paid is part "
    "of income and fees.",
    shown=10,
)

SECTIONS = (
    Section(
        "accounts",
        "Accounts: P&L before fees, returns after fees",
        columns("""
            account_id        text     account
            name              prose    name
            currency          ~text    in
            state             text     state
            day               money    day
            days_covered      ~integer sessions
            mtd               money    MTD
            ytd               money    YTD
            itd               money    ITD
            day_return        percent  return
            mtd_return        percent  ret. MTD
            ytd_return        percent  ret. YTD
            drawdown          ~percent drawdown
            equity            money    equity
            gross             money    gross
            net               money    net
            gross_pct         share    gross %
            net_pct           ~share   net %
            quality           ~text    quality
            positions_unknown ~integer positions unknown
        """),
        empty="No account was expected.",
        note="A table of its own says since when the sums count, and by whom. Gross in per cent is of equity.",
        shown=25,
    ),
    Section(
        "bridge",
        "The day's equity by account",
        columns("""
            account_id     text  account
            days_covered   ~integer sessions
            sod_equity     money start of day
            carried        money carried positions
            traded         money day's trading
            other_pnl      money other P&L
            events         ~money of that, of events
            fees_and_other money income and fees
            flow           money flows
            unexplained    money unexplained
            eod_equity     money end of day
        """),
        empty="The broker's equity at the start and the end of the day is not known of any account.",
        note="P&L before fees is carried, traded and other: of events, such as cash for options, and what nothing "
        "splits, as on an account's first day. Unexplained is what the broker's equity moved by and the books do not "
        "account for.",
        shown=25,
    ),
    Section("best", "Top contributors", columns(_POSITION), empty="No position gained.", shown=10),
    Section("worst", "Bottom contributors", columns(_POSITION), empty="No position lost.", shown=10),
    Section(
        "underlyings",
        "P&L before fees by underlying",
        columns("""
            symbol            symbol   underlying
            positions         integer  positions
            unknown           ~integer unknown
            long              ~money   long
            short             ~money   short
            gross             ~money   gross
            net               money    net value
            realized_pnl      money    realized
            unrealized_change money    unrealized
            total_pnl         money    P&L
            accounts_known    ~text    accounts known
        """),
        empty="Nothing was held.",
        shown=10,
    ),
    Section(
        "types",
        "P&L before fees by type",
        columns("""
            instrument_type   text     type
            positions         integer  positions
            unknown           ~integer unknown
            market_value      money    net value
            realized_pnl      money    realized
            unrealized_change money    unrealized
            total_pnl         money    P&L
            accounts_known    ~text    accounts known
        """),
        empty="Nothing was held.",
        shown=10,
    ),
    Section(
        "moves",
        "Opened, closed or reversed",
        columns("""
            status          text     what
            symbol          symbol   symbol
            account_id      text     account
            quantity_prev   quantity before
            quantity        quantity after
            bought_quantity quantity bought
            sold_quantity   quantity sold
            realized_pnl    money    realized
            total_pnl       money    P&L before fees
            days_covered    ~integer sessions
            flags           prose     flags
        """),
        empty="No position was opened, closed or reversed.",
    ),
    Section(
        "trades",
        "Trades",
        columns("""
            transaction_time     instant  at (UTC)
            account_id           text     account
            symbol               symbol   symbol
            side                 text     side
            quantity             quantity quantity
            price                price    price
            multiplier           ~price   multiplier
            notional             money    amount
            realized_pnl         money    realized
            quantity_prev        ~quantity held before
            realized_of_position ~money   realized by the position
            order_id             ~text    order
            id                   ~text    id
            instrument_id        ~text    instrument id
        """),
        empty="No fill of the day is known.",
        note="Realized is before fees, against the average cost of the position at that moment; a dash where the fills "
        "of a position don't add up to what it realized.",
        shown=12,
    ),
    Section(
        "events",
        "Corporate actions, dividends, money in and out, option events",
        columns("""
            trading_date ~day     day
            account_id   text     account
            event        text     event
            symbol       symbol   symbol
            quantity     quantity quantity
            cash         money    cash
            note         prose    note
        """),
        empty="None on this day.",
        note="Quantity is what came (+) or went; of a dividend it is what was held at its ex-date.",
    ),
    DIVIDENDS,
    Section(
        "fees",
        "Income and fees by account",
        columns("""
            account_id     text  account
            before_fees    money P&L before fees
            dividends      money dividends
            fees           money fees, other
            fees_and_other money together
            net            money P&L after fees
        """),
        empty="The broker's P&L after fees is not known of any account.",
        note="The broker tells income and fees of a day as one figure; dividends that were expected are told apart.",
        shown=8,
    ),
    Section(
        "expiring",
        "Options that expire within five sessions",
        columns("""
            symbol           symbol   symbol
            account_id       text     account
            option_right     text     right
            strike           price    strike
            expiry           day      expiry
            sessions_left    integer  sessions left
            quantity         quantity quantity
            market_value     money    value
            underlying_price price    underlying
            price_date       day      close of
            in_the_money     price    in the money by
        """),
        empty="None is held.",
    ),
    Section(
        "instructions",
        "Exercise instructions",
        columns("""
            instruction_type  text     instruction
            symbol            symbol   symbol
            account_id        text     account
            status            text     status
            quantity          quantity quantity
            accepted_quantity quantity accepted
            changed_at        instant  changed (UTC)
            rejection_reason  prose    reason
            created_at        ~instant created
            seen_at           ~instant seen
            id                ~text    id
        """),
        empty="None is under way, and none changed since the last report.",
    ),
    Section(
        "requests",
        "Requests to trade",
        columns("""
            operation          text     request
            symbol             symbol   symbol
            account_id         text     account
            what               text     what
            quantity           quantity quantity
            status             text     status
            outcome            text     outcome
            filled_quantity    quantity filled
            average_fill_price price    at
            event_kind         text     led to
            total_pnl          money    P&L before fees
            reason             prose    reason
            requested_at       ~instant requested
            id                 ~text    id
            run_id             ~text    run
        """),
        empty="Nothing was traded through daybook.",
    ),
    Section(
        "exposure",
        "Exposure",
        columns("""
            account_id         text    account
            position_count     ~integer positions
            long_market_value  money   long
            short_market_value money   short
            gross              money   gross
            net                money   net
            gross_pct          ~share  gross % eq.
            net_pct            share   net % eq.
        """),
        empty="No account is known.",
        shown=25,
    ),
    Section(
        "concentration",
        "Concentration",
        columns("""
            symbol        symbol  underlying
            long          money   long
            short         money   short
            gross         ~money  gross
            net           money   net
            gross_share   share   of gross
            equity_share  share   of equity
            running_share ~share  running
            accounts_known ~text  accounts known
        """),
        empty="Nothing was held.",
        shown=10,
    ),
    Section(
        "breaks",
        "Breaks, gaps and doubts",
        columns("""
            severity     text    what
            check_name   text    check
            trading_date day     day
            age_days     integer age
            account_id   text    account
            symbol       symbol  symbol
            ours         money   ours
            broker       money   broker's
            difference   money   difference
            tolerance    ~money  tolerance
            message      prose   note
        """),
        empty="None: what could be compared with the broker agrees.",
        note="Age in trading sessions.",
    ),
    Section(
        "known_since",
        "Since when, and by whom",
        columns("""
            account_id      text    account
            mtd_since       day     MTD since
            mtd_from_books  integer in the books
            mtd_from_broker integer by broker
            ytd_since       day     YTD since
            ytd_from_books  integer in the books
            ytd_from_broker integer by broker
            since           day     ITD since
            from_books      integer in the books
            from_broker     integer by broker
            gap_days        integer not known
        """),
        empty="No account is known.",
        note="Sessions in the books, and by the broker: missed ones and those before the books, which are only in its "
        "portfolio history.",
        shown=8,
    ),
    Section(
        "restatements",
        "Restated since the last report",
        columns("""
            trading_date day      day
            account_id   text     account
            symbol       symbol   symbol
            measure      text     measure
            old          money    old
            new          money    new
            change       money    change
            reason       text     reason
            known_from   instant  known since (UTC)
        """),
        empty="Nothing that was reported before has changed.",
    ),
    Section(
        "positions",
        "All positions",
        columns("""
            symbol                   symbol   symbol
            account_id               text     account
            instrument_type          text     type
            status                   text     status
            quantity_prev            ~quantity before
            quantity                 quantity quantity
            eod_price                price    price
            price_date               ~day     close of
            market_value             money    value
            cost_basis               ~money   cost
            unrealized_pnl           ~money   unrealized to date
            carried                  money    carried
            traded                   money    traded
            realized_pnl             ~money   realized
            unrealized_change        ~money   change of unrealized
            total_pnl                money    P&L before fees
            days_covered             ~integer sessions
            quality                  text     quality
            flags                    prose     flags
            underlying_instrument_id ~text    underlying id
            instrument_id            ~text    instrument id
        """),
        empty="Nothing was held.",
        shown=0,
    ),
)
