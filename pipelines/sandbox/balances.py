"""An account's money: balances now, and one segment of portfolio history a day."""

from __future__ import annotations

from decimal import Decimal

from pipelines.sandbox.account_book import AccountSession
from pipelines.sandbox.figures import Figures
from pipelines.sandbox.ledger import ZERO
from pipelines.sandbox.program import Profile
from pipelines.sandbox.replies import Json, money_text

HALF = Decimal("0.5")


def balances(profile: Profile, day: AccountSession, now: Figures) -> Json:
    """Balances. Trades count as settled at once, short_market_value is positive, daily P&L runs from the close before.
    Buying power is Regulation T's at its simplest: what half the gross value leaves of equity, doubled on margin."""
    before, margin = day.previous, profile.subtype == "MARGIN"
    return {
        "account_id": profile.id,
        "currency": "USD",
        "margin_type": "REG_T" if margin else "NONE",
        "multiplier": "2" if margin else "1",
        "equity": money_text(now.equity),
        "long_market_value": money_text(now.long),
        "short_market_value": money_text(-now.short),
        "trade_cash": money_text(now.cash),
        "settled_cash": money_text(now.cash),
        "unsettled_credits": "0.00",
        "unsettled_debits": "0.00",
        "open_order_adjustment": "0.00",
        "buying_power": money_text(buying_power(now, margin=margin)),
        "withdrawable_cash": money_text(max(min(now.cash, buying_power(now, margin=False)), ZERO)),
        "unrealized_pnl": money_text(now.unrealized),
        "daily_realized_pnl": money_text(now.daily_realized),
        "daily_unrealized_pnl": money_text(now.daily_unrealized),
        "daily_pnl": money_text(now.daily_realized + now.daily_unrealized),
        "daily_change": money_text(now.equity - before.equity),
        "margin_details": None,
        "sod": {
            "asof": day.session.date.isoformat(),
            "equity": money_text(before.equity),
            "long_market_value": money_text(before.long),
            "short_market_value": money_text(-before.short),
            "trade_cash": money_text(before.cash),
            "buying_power": money_text(buying_power(before, margin=margin)),
        },
    }


def segment(day: AccountSession, now: Figures) -> Json:
    """One day of portfolio history. realized is from cost, unrealized the day's change, net adds dividends and fees.
    day_pnl is what today's trades have made, position_pnl all the rest: what was carried in, overnight events too."""
    total = now.daily_realized + now.daily_unrealized
    return {
        "date": day.session.date.isoformat(),
        "realized_pnl": money_text(now.realized),
        "unrealized_pnl": money_text(total - now.realized),
        "net_pnl": money_text(total + now.moves.get("DIVIDEND", ZERO) + now.moves.get("FEE", ZERO)),
        "day_pnl": money_text(now.day_pnl),
        "position_pnl": money_text(total - now.day_pnl),
        "bought_notional": money_text(sum((row.position.bought for row in now.rows), ZERO)),
        "sold_notional": money_text(sum((row.position.sold for row in now.rows), ZERO)),
        "sod_equity": money_text(day.previous.equity),
        "eod_equity": money_text(now.equity),
    }


def buying_power(figures: Figures, *, margin: bool) -> Decimal:
    """What could be bought more, USD; never negative."""
    free = figures.equity - (figures.long - figures.short) * (HALF if margin else Decimal(1))
    return max(free * (2 if margin else 1), ZERO)
