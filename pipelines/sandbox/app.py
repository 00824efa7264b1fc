"""The stand-in as an ASGI application: the broker's paths under /v1, and the clock's own outside of it."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipelines.sandbox import routes_accounts, routes_hours, routes_instructions, routes_market, routes_positions
from pipelines.sandbox.broker import Broker
from pipelines.sandbox.calls import Endpoint, Handler, endpoint
from pipelines.sandbox.replies import ErrorAnswer, refuse

LOOPBACK = ("127.0.0.1", "::1")
_ACCOUNT, _POSITIONS = "/v1/accounts/{account_id}", "/v1/accounts/{account_id}/positions"
# Method, path, handler. Instructions stand before {instrument_id}: the two share a prefix.
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/v1/version", routes_market.get_version),
    ("GET", "/v1/clock", routes_market.get_clock),
    ("GET", "/v1/calendars/market-hours", routes_hours.get_market_hours),
    ("GET", "/v1/market-data/snapshot", routes_market.list_snapshots),
    ("GET", "/v1/instruments/options/contracts", routes_market.list_contracts),
    ("GET", "/v1/instruments/events", routes_market.list_events),
    ("GET", "/v1/instruments/{instrument_id}", routes_market.get_instrument),
    ("GET", "/v1/instruments/{instrument_id}/events", routes_market.get_events),
    ("GET", "/v1/accounts", routes_accounts.list_accounts),
    ("GET", f"{_ACCOUNT}/balances", routes_accounts.get_balances),
    ("GET", f"{_ACCOUNT}/portfolio-history", routes_accounts.get_history),
    ("GET", f"{_ACCOUNT}/orders", routes_accounts.list_orders),
    ("GET", f"{_ACCOUNT}/executions", routes_accounts.list_executions),
    ("GET", _POSITIONS, routes_positions.list_positions),
    ("DELETE", _POSITIONS, routes_positions.close_positions),
    ("GET", f"{_POSITIONS}/instructions", routes_instructions.list_instructions),
    ("POST", f"{_POSITIONS}/instructions", routes_instructions.submit_instructions),
    ("DELETE", f"{_POSITIONS}/instructions/{{instruction_id}}", routes_instructions.cancel_instruction),
    ("DELETE", f"{_POSITIONS}/{{instrument_id}}", routes_positions.close_position),
)


def application(broker: Broker) -> Starlette:
    """The application. Whatever goes wrong is answered in the broker's error envelope too."""

    async def failed(request: Request, error: Exception) -> Response:  # noqa: ARG001 - starlette's signature
        status = error.status_code if isinstance(error, HTTPException) else 500
        refused = ErrorAnswer(status, HTTPStatus(status).phrase)
        return refuse(refused, broker.next_request_id(), broker.clock.now, bare=broker.settings.bare_errors)

    routes = [
        Route(path, endpoint(broker, handler, writes=method != "GET"), methods=[method])
        for method, path, handler in ROUTES
    ]
    routes.append(Route("/sandbox/clock", _clock(broker), methods=["GET", "POST"]))
    return Starlette(routes=routes, exception_handlers={HTTPException: failed, Exception: failed})


def _clock(broker: Broker) -> Endpoint:
    """GET tells the replayed time, POST {"now": "2005-02-01T21:20:00Z"} moves it. For this machine only, no key."""

    async def answer(request: Request) -> Response:
        if request.client is None or request.client.host not in LOOPBACK:
            return JSONResponse({"error": "the clock is set from this machine only"}, 403)
        if request.method == "POST":
            try:
                broker.clock.set(datetime.fromisoformat(orjson.loads(await request.body())["now"]))
            except (ValueError, TypeError, KeyError, OverflowError):
                return JSONResponse({"error": 'send {"now": "2005-02-01T21:20:00Z"}: an instant with a zone'}, 400)
        return JSONResponse({"now": broker.clock.now.isoformat()})

    return answer
