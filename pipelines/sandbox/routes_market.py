"""What is the same for everybody: the clock, the version, instruments, option contracts, corporate events."""

from __future__ import annotations

from datetime import date, timedelta

from pipelines.sandbox.calls import Call
from pipelines.sandbox.instruments import CALL, PUT, Instrument
from pipelines.sandbox.market import NEW_YORK
from pipelines.sandbox.params import boolean, choice, date_param, several
from pipelines.sandbox.replies import ErrorAnswer, HandlerAnswer, Json, money_text, nanoseconds, quantity_text, seconds

VERSION = "2025-10-31"
EVENTS = ("EARNINGS", "DIVIDEND", "STOCK_SPLIT", "IPO")
MOST_CONTRACTS = 100
MOST_SNAPSHOTS = 100


def get_version(call: Call) -> HandlerAnswer:  # noqa: ARG001 - a handler like the others
    """GET version: that of the specification the stand-in was written against."""
    return HandlerAnswer({"version": VERSION})


def get_clock(call: Call) -> HandlerAnswer:
    """GET clock: the replayed time, nine digits."""
    return HandlerAnswer({"clock": nanoseconds(call.now)})


def get_instrument(call: Call) -> HandlerAnswer:
    """GET an instrument by UUID or symbol."""
    return HandlerAnswer(
        _instrument(call, _found(call), with_expiries=bool(boolean(call.query, "include_options_expiry_dates")))
    )


def get_events(call: Call) -> HandlerAnswer:
    """GET an instrument's events between from_date (a year back) and to_date (sixty days on), both included."""
    instrument, today, kinds = _found(call), _today(call), _kinds(call)
    start = date_param(call.query, "from_date") or today - timedelta(days=365)
    end = date_param(call.query, "to_date") or today + timedelta(days=60)
    return HandlerAnswer(
        {
            "instrument_id": instrument.id,
            "reporting_currency": "USD",
            "earnings": [],
            "ipos": [],
            "dividends": _dividends(call, instrument, start, end) if "DIVIDEND" in kinds else [],
            "splits": _splits(call, instrument, start, end) if "STOCK_SPLIT" in kinds else [],
        }
    )


def list_events(call: Call) -> HandlerAnswer:
    """GET the events of all instruments, or of those named (thirty days back then), grouped by date, newest first."""
    today, kinds, named = _today(call), _kinds(call), several(call.query, "instrument_ids")
    start = date_param(call.query, "from_date") or (today if named is None else today - timedelta(days=30))
    end = date_param(call.query, "to_date") or today
    wanted = call.broker.stocks() if named is None else [one for one in map(call.broker.instrument, named) if one]
    found = [event for one in wanted for event in _enveloped(call, one, start, end) if event[1]["type"] in kinds]
    found.sort(key=lambda event: (event[0], event[1]["symbol"]))
    found.reverse()
    window = call.broker.pager.window(call.url, call.query, len(found))
    dates: dict[str, list[Json]] = {}
    for on, event in found[window.start : window.stop]:
        dates.setdefault(on, []).append(event)
    return HandlerAnswer({"event_dates": [{"date": on, "events": dates[on]} for on in dates]}, window.metadata)


def list_contracts(call: Call) -> HandlerAnswer:
    """GET option contracts by underlying or by contract ids: those that any account trades, expired ones included."""
    query, found = call.query, _contracts(call)
    if (expiry := date_param(query, "expiry")) is not None:
        found = [option for option in found if option.expiry == expiry]
    if (kind := choice(query, "contract_type", (CALL, PUT))) is not None:
        found = [option for option in found if option.contract_type == kind]
    if boolean(query, "is_settle_on_open"):
        found = []  # all of them settle on the close
    window = call.broker.pager.window(call.url, query, len(found))
    return HandlerAnswer([_contract(call, option) for option in found[window.start : window.stop]], window.metadata)


def _contracts(call: Call) -> list[Instrument]:
    """The contracts that the one identifier of a request names. `root` is the current name of `underlier`."""
    broker, ids = call.broker, several(call.query, "contract_ids")
    names = [call.query[name] for name in ("root", "underlier", "underlying_instrument_id") if name in call.query]
    if (ids is not None) + bool(names) != 1 or len(set(names)) > 1:
        raise ErrorAnswer(
            400, "Exactly one identifier must be provided: underlier, underlying_instrument_id, or contract_ids"
        )
    if ids is not None:
        if not 1 <= len(ids) <= MOST_CONTRACTS:
            raise ErrorAnswer(400, f"contract_ids must name 1 to {MOST_CONTRACTS} contracts")
        wanted = {found.id for found in map(broker.instrument, ids) if found is not None}
        return [option for option in broker.options() if option.id in wanted]
    stock = broker.instrument(names[0])
    if stock is None:
        raise ErrorAnswer(404, f"Instrument not found: {names[0]}")
    return [option for option in broker.options() if option.base.id == stock.id]


def _contract(call: Call, option: Instrument) -> Json:
    market, today = call.broker.market, call.now.astimezone(NEW_YORK).date()
    last = market.sessions[market.index(market.last_session(option))]
    return {
        "id": option.id,
        "symbol": option.symbol,
        "contract_type": option.contract_type,
        "strike_price": money_text(option.strike),
        "expiry": option.expiry.isoformat(),
        "multiplier": quantity_text(option.multiplier),
        "exercise_style": "AMERICAN",
        "listing_type": "STANDARD",
        "currency": "USD",
        "exchange": "OPRA",
        "is_liquidation_only": False,
        "is_marginable": False,
        "is_settle_on_open": False,
        "is_tradable": last.date >= today,
        "last_trade_cutoff": seconds(last.close),
        "open_interest": None,
        "underlying_instrument_id": option.base.id,
    }


def list_snapshots(call: Call) -> HandlerAnswer:
    """GET what instruments trade at now, by UUID or symbol: the close once there is one, before it a trade."""
    names = several(call.query, "instrument_ids")
    if not names:
        raise ErrorAnswer(400, "At least one instrument_id is required")
    if len(names) > MOST_SNAPSHOTS:
        raise ErrorAnswer(400, f"instrument_ids must name at most {MOST_SNAPSHOTS} instruments")
    return HandlerAnswer([_snapshot(call, _named(call, name)) for name in names])


def _snapshot(call: Call, instrument: Instrument) -> Json:
    market, session = call.broker.market, call.broker.market.session_at(call.now)
    row: Json = {"instrument_id": instrument.id, "symbol": instrument.symbol, "name": instrument.name}
    row["session"] = {"ohlv_applicable": True}
    if session is None or not market.knows(instrument):
        return row
    before = market.prior_close(instrument, session.date)
    row["session"]["previous_close"] = money_text(before)
    if (unadjusted := before * market.split_factor(instrument, session.date)) != before:
        row["session"]["previous_close_unadjusted"] = money_text(unadjusted)
    if call.now < session.open:
        return row
    at_close = call.now >= session.close
    price = market.close(instrument, session.date) if at_close else market.traded_at(instrument, session, call.now)
    row["last_trade"] = {"price": money_text(price), "size": 100, "timestamp": seconds(min(call.now, session.close))}
    row["cumulative_volume"] = row["session"]["cumulative_volume"] = 100
    row["session"]["change"] = money_text(price - before)
    row["session"]["change_percent"] = f"{100 * (price - before) / before if before else 0:.4f}"
    return row


def _found(call: Call) -> Instrument:
    return _named(call, call.path["instrument_id"])


def _named(call: Call, name: str) -> Instrument:
    found = call.broker.instrument(name)
    if found is None:
        raise ErrorAnswer(404, f"Instrument not found: {name}")
    return found


def _instrument(call: Call, instrument: Instrument, *, with_expiries: bool) -> Json:
    broker, session = call.broker, call.broker.market.session_at(call.now)
    row: Json = {
        "id": instrument.id,
        "symbol": instrument.symbol,
        "name": instrument.name,
        "instrument_type": instrument.security_type,
        "country_of_issue": "US",
        "currency": "USD",
        "venue": "XNMS",
        "easy_to_borrow": True,
        "is_fractionable": False,
        "is_liquidation_only": False,
        "is_marginable": instrument.underlying is None,
        "is_ptp": False,
        "is_short_prohibited": False,
        "is_threshold_security": False,
        "is_tradable": True,
    }
    if session is not None and broker.market.knows(instrument):
        adjusted = broker.market.prior_close(instrument, session.date)
        row["previous_close"] = money_text(adjusted * broker.market.split_factor(instrument, session.date))
        row["cax_adjusted_previous_close"] = money_text(adjusted)
    if with_expiries:
        expiries = sorted({option.expiry.isoformat() for option in broker.options() if option.base.id == instrument.id})
        row["options_expiry_dates"] = expiries
        row["options_contract_expiry_dates"] = [
            {"date": expiry, "has_settles_on_open": False, "has_settles_on_close": True} for expiry in expiries
        ]
    return row


def _today(call: Call) -> date:
    return call.now.astimezone(NEW_YORK).date()


def _kinds(call: Call) -> set[str]:
    asked = several(call.query, "event_types")
    if asked is not None and not set(asked) <= set(EVENTS):
        raise ErrorAnswer(400, f"event_types must be among {', '.join(EVENTS)}")
    return set(EVENTS if asked is None else asked)


def _enveloped(call: Call, instrument: Instrument, start: date, end: date) -> list[tuple[str, Json]]:
    """An instrument's events as the listing by date wraps them, each with its date."""
    shared = {"instrument_id": instrument.id, "symbol": instrument.symbol, "name": instrument.name}
    shared["reporting_currency"] = "USD"
    dividends = _dividends(call, instrument, start, end)
    splits = _splits(call, instrument, start, end)
    return [
        *((each["ex_date"], {**shared, "type": "DIVIDEND", "dividend_event_data": each}) for each in dividends),
        *((each["date"], {**shared, "type": "STOCK_SPLIT", "stock_split_event_data": each}) for each in splits),
    ]


def _dividends(call: Call, instrument: Instrument, start: date, end: date) -> list[Json]:
    """Later splits would restate the adjusted amount; none follows a dividend here. Other dates aren't known."""
    return [
        {
            "ex_date": action.on.isoformat(),
            "dividend_amount": money_text(action.value),
            "adjusted_dividend_amount": money_text(action.value),
            "frequency": "Quarterly",
        }
        for action in call.broker.market.prices.actions
        if action.symbol == instrument.symbol and action.kind == "DIVIDEND" and start <= action.on <= end
    ]


def _splits(call: Call, instrument: Instrument, start: date, end: date) -> list[Json]:
    return [
        {
            "date": action.on.isoformat(),
            "numerator": quantity_text(action.value),
            "denominator": "1",
            "split_type": "stock-split",
        }
        for action in call.broker.market.prices.actions
        if action.symbol == instrument.symbol and action.kind == "SPLIT" and start <= action.on <= end
    ]
