"""The check in front of Dagster's webserver, as ASGI middleware: first the rules, then the token."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dagster_project.web.login import login_page
from dagster_project.web.peer import peer_user
from dagster_project.web.rules import refusal_of_request, refusal_of_websocket
from dagster_project.web.token import LIFETIME, cookie_for, is_cookie, is_token

#: On every answer, Dagster's own too: no other page may frame it, load it or hold a handle on its window.
_HEADERS = {
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: On what is said before anybody has logged in.
_PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_POLICY_VIOLATION = 1008


class Guard:
    """Lets through to `app` what the rules allow and who has the token; `origins` as `allowed_origins` gives them.

    `cookie` is the name of the cookie: browsers send a cookie to every port of a host. A cookie is good for the user
    who got it, as `user_of` tells them apart.
    """

    def __init__(
        self,
        app: ASGIApp,
        token: str,
        origins: Mapping[str, str],
        cookie: str = "daybook",
        now: Callable[[], float] = time.time,
        user_of: Callable[[Scope], str] = peer_user,
    ) -> None:
        self._app, self._token, self._origins, self._cookie = app, token, origins, cookie
        self._now, self._user_of = now, user_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. What is neither HTTP nor a WebSocket nor the server's own start and end is not for the app."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, _with_headers(send))

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if refusal_of_websocket(scope["path"], headers, self._origins) or not self._is_logged_in(scope, headers):
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})  # the handshake is answered with 403
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        refusal = refusal_of_request(scope["method"], scope["path"], headers, self._origins)
        if refusal:
            answer: Response | None = PlainTextResponse(refusal.sentence, refusal.status, _PRIVATE)
        else:
            answer = self._answer_to_token(scope, headers) or self._answer_to_stranger(scope, headers)
        await (answer or self._app)(scope, receive, send)

    def _answer_to_token(self, scope: Scope, headers: Headers) -> Response | None:
        """A link with the token leads on to the same page without it: no page's address ever holds it."""
        query = _query(scope)
        said = [value for name, value in query if name == "token"]
        if scope["method"] != "GET" or not said:
            return None
        if len(said) > 1 or not is_token(said[0], self._token):
            return login_page("That is not the token.", _PRIVATE)
        rest = [(name, value) for name, value in query if name != "token"]
        answer = RedirectResponse(_here(scope["path"], rest), 303, _PRIVATE)
        origin = self._origins[headers["host"].lower()]
        answer.set_cookie(
            self._cookie,
            cookie_for(self._token, self._now(), self._user_of(scope)),
            max_age=LIFETIME,
            path="/",
            secure=origin.startswith("https:"),
            httponly=True,
            samesite="strict",
        )
        return answer

    def _answer_to_stranger(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer without a valid cookie: a log-in form where a page was asked for, else None."""
        if self._is_logged_in(scope, headers):
            return None
        if scope["method"] != "GET" or "text/html" not in headers.get("accept", ""):
            return PlainTextResponse("Open the link that daybook printed at its start.", 401, _PRIVATE)
        if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
            return login_page("", _PRIVATE)
        # Followed from another site, a link comes without the cookie of somebody who has one.
        return login_page("", _PRIVATE, _here(scope["path"], _query(scope)))

    def _is_logged_in(self, scope: Scope, headers: Headers) -> bool:
        """Any of several cookies of this name will do: a page on another port can add one, not take ours away."""
        pairs = (pair.strip().partition("=") for line in headers.getlist("cookie") for pair in line.split(";"))
        said = [value for name, _, value in pairs if name == self._cookie]
        user = self._user_of(scope) if said else ""
        return any(is_cookie(value, self._token, self._now(), user) for value in said)


def _query(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, errors="replace")


def _here(path: str, query: list[tuple[str, str]]) -> str:
    """An address on this host, whatever the path is: one that begins with two slashes would name another."""
    return "/" + quote(path.lstrip("/")) + (f"?{urlencode(query)}" if query else "")


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(_HEADERS)
            headers.append("Content-Security-Policy", "frame-ancestors 'self'")
        await send(message)

    return sending
