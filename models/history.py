"""The broker's own daily P&L of an account: what our figures are reconciled with."""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from models.fields import Day, Money, NumberId, about, as_sent


@as_sent
class PortfolioHistorySegment(TypedDict):
    """One trading day of one account. Today's is intraday, and past ones may be restated."""

    account_id: NotRequired[
        Annotated[
            NumberId, about("Account that was asked for; the reading client fills it in where the broker doesn't")
        ]
    ]
    date: Annotated[Day, about("Trading day")]
    sod_equity: NotRequired[
        Annotated[
            Money | None,
            about(
                "Equity at the start of the day. Was called starting_equity", names=("sod_equity", "starting_equity")
            ),
        ]
    ]
    eod_equity: NotRequired[
        Annotated[
            Money | None,
            about("Equity at the end of the day. Was called ending_equity", names=("eod_equity", "ending_equity")),
        ]
    ]
    realized_pnl: NotRequired[Annotated[Money | None, about("Gain from closing trades of the day")]]
    unrealized_pnl: NotRequired[
        Annotated[Money | None, about("Gain of the day from price moves; a day's amount, unlike a position's")]
    ]
    net_pnl: NotRequired[
        Annotated[Money | None, about("Gain of the day with dividends, fees, accruals and adjustments; null: no data")]
    ]
    position_pnl: NotRequired[
        Annotated[Money | None, about("Day's move of positions carried in; meant something else before 2026-04-24")]
    ]
    day_pnl: NotRequired[Annotated[Money | None, about("Gain of the day from trading within it; null: no data")]]
    bought_notional: NotRequired[Annotated[Money | None, about("Amount bought, marked to market; null: no data")]]
    sold_notional: NotRequired[Annotated[Money | None, about("Amount sold, marked to market; null: no data")]]


@as_sent
class PortfolioHistory(TypedDict):
    """The reply: segments, in an order that nothing promises."""

    segments: list[PortfolioHistorySegment]
