"""Market hours of one date: sessions in New York time, half days, holidays, weekends."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from pipelines.calendar import Session
from pipelines.errors import ConfigurationError
from pipelines.sandbox.calls import Call
from pipelines.sandbox.market import NEW_YORK
from pipelines.sandbox.params import choice, date_param
from pipelines.sandbox.replies import ErrorAnswer, HandlerAnswer, Json

MARKETS = {"us_equities": "US Equities", "us_options": "US Options"}
PRE_MARKET, AFTER_HOURS = time(4), time(20)
# No closure of the exchange was ever longer than this, so a next session is found within it.
LONGEST_CLOSURE = timedelta(days=10)


def get_market_hours(call: Call) -> HandlerAnswer:
    """GET market-hours of `date` (today in New York) and `market` (both). is_open and current_time are of now."""
    asked = choice(call.query, "market", MARKETS)
    now = call.now.astimezone(NEW_YORK)
    when = date_param(call.query, "date") or now.date()
    try:
        sessions = call.broker.market.calendar.sessions(when, when + LONGEST_CLOSURE)
    except (ConfigurationError, OverflowError):
        raise ErrorAnswer(400, f"No trading calendar for {when}") from None
    today = sessions[0] if sessions and sessions[0].date == when else None
    following = [session for session in sessions if session.date > when]
    return HandlerAnswer(
        [
            {
                "market": market,
                "market_name": MARKETS[market],
                "date": when.isoformat(),
                "timezone": "America/New_York",
                "current_time": now.isoformat(timespec="seconds"),
                "status": _status(when, today, now),
                "today_sessions": _sessions(today, now),
                "next_sessions": _sessions(following[0] if following else None, None),
            }
            for market in ([asked] if asked else MARKETS)
        ]
    )


def _status(when: date, session: Session | None, now: datetime) -> Json:
    """The kind of day `when` is, and which of its sessions `now` is in."""
    if session is None:
        return {"day_type": "WEEKEND" if when.weekday() >= 5 else "HOLIDAY", "is_open": False, "current_session": None}
    current = next((name for name, (opens, closes) in _spans(session).items() if opens <= now < closes), None)
    kind = "EARLY_CLOSE" if session.early else "TRADING_DAY"
    return {"day_type": kind, "is_open": current == "regular", "current_session": current}


def _spans(session: Session) -> dict[str, tuple[datetime, datetime]]:
    """The day's sessions. A half day has no after-hours session."""
    opens, closes = session.open.astimezone(NEW_YORK), session.close.astimezone(NEW_YORK)
    spans = {
        "pre_market": (datetime.combine(session.date, PRE_MARKET, NEW_YORK), opens),
        "regular": (opens, closes),
    }
    if not session.early:
        spans["after_hours"] = (closes, datetime.combine(session.date, AFTER_HOURS, NEW_YORK))
    return spans


def _sessions(session: Session | None, now: datetime | None) -> Json:
    return {name: _schedule(*span, now) for name, span in _spans(session).items()} if session else {}


def _schedule(opens: datetime, closes: datetime, now: datetime | None) -> Json:
    """A session's hours, and how long until it opens or closes where that is still today."""
    row: Json = {"open": opens.isoformat(), "close": closes.isoformat()}
    if now is not None and now.date() == opens.date():
        if now < opens:
            row["time_until_open"] = _duration(opens - now)
        elif now < closes:
            row["time_until_close"] = _duration(closes - now)
    return row


def _duration(left: timedelta) -> str:
    """ISO 8601, whole seconds: PT1H29M15S."""
    minutes, second = divmod(int(left.total_seconds()), 60)
    hour, minute = divmod(minutes, 60)
    parts = ((hour, "H"), (minute, "M"), (second, "S"))
    return "PT" + ("".join(f"{count}{unit}" for count, unit in parts if count) or "0S")
