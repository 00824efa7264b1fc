"""The check in front of Dagster's webserver: what reaches it, over every route, method and header."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Iterable, MutableMapping
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from dagster_webserver.webserver import DagsterWebserver
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.routing import BaseRoute, Match, Mount, Route, WebSocketRoute

from dagster_project.web.guard import Guard
from dagster_project.web.peer import peer_user
from dagster_project.web.rules import GRAPHQL, allowed_origins
from dagster_project.web.token import LIFETIME, cookie_for

PORT = 3000
HOST = f"127.0.0.1:{PORT}"
TOKEN = "t" * 43
NOW = 1_800_000_000.0
COOKIE = f"daybook={cookie_for(TOKEN, NOW)}"
OURS = {"host": HOST, "cookie": COOKIE}
JSON = {"content-type": "application/json"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "post")
PAGE = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"}
#: Every way in which Dagster's webserver answers, each looked at: reading by GET, and four that change something.
READ = {
    "/", "/{path:path}", "/server_info", "/dagit_info", "/logs/{path:path}", "/notebook", "/dagit/notebook",
    "/download_debug/{run_id:str}",
}  # fmt: skip
CHANGE = {
    "/graphql", "/report_asset_materialization/{asset_key:path}", "/report_asset_check/{asset_key:path}",
    "/report_asset_observation/{asset_key:path}",
}  # fmt: skip


def routes() -> list[BaseRoute]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that /dagit_info is old
        found: list[BaseRoute] = DagsterWebserver(None).build_routes()  # type: ignore[no-untyped-call, type-var]
    return found


ROUTES = routes()


def paths() -> list[str]:
    """One address of every route, and ways to write those that matter."""
    found = [each.path for each in routes() if isinstance(each, Route | Mount | WebSocketRoute)]
    filled = [path.replace("{path:path}", "a/b").replace("{run_id:str}", "1").replace("{asset_key:path}", "k")
              for path in found]  # fmt: skip
    odd = [
        "/graphql/",
        "//graphql",
        "/graphql/x",
        "/Graphql",
        "/graphql;x",
        "/./graphql",
        "\\graphql",
        "",
        "/_next/a.js",
    ]
    return sorted({*filled, *odd})


class App:
    """What stands behind the check, and what came through."""

    def __init__(self) -> None:
        self.came: list[tuple[str, str]] = []

    async def __call__(self, scope: Any, _: Any, send: Any) -> None:
        self.came.append((scope["method"], scope["path"]))
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"referrer-policy", b"origin")]})
            await send({"type": "http.response.body", "body": b"books"})


class Answer:
    """How a request ended: its status (101 for a WebSocket that was opened), headers and body."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        start = messages[0]
        self.status = start.get("status", {"websocket.accept": 101, "websocket.close": 403}.get(start["type"]))
        self.headers = [(name.decode(), value.decode("latin-1")) for name, value in start.get("headers", [])]
        self.text = b"".join(message.get("body", b"") for message in messages[1:]).decode()

    def of(self, name: str) -> list[str]:
        return [value for each, value in self.headers if each == name]


def ask(
    method: str,
    path: str,
    headers: dict[str, str] | Iterable[tuple[str, str]],
    *,
    query: str = "",
    app: App | None = None,
    now: float = NOW,
    port: int = PORT,
    url: str | None = None,
    user: str = "",
) -> Answer:
    """What the guard says to a request; `method` "WEBSOCKET" is the opening of one."""
    pairs = headers.items() if isinstance(headers, dict) else headers
    scope = {
        "type": "websocket" if method == "WEBSOCKET" else "http",
        "method": method,
        "path": path,
        "query_string": query.encode("latin-1", "replace"),
        "headers": [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in pairs],
    }
    said: list[dict[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(dict(message))

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    guard = Guard(app or App(), TOKEN, allowed_origins(port, url), now=lambda: now, user_of=lambda _: user)
    with suppress(StopIteration):
        guard(scope, receive, send).send(None)  # nothing in it waits: no loop is needed
    return Answer(said)


def test_every_route_of_the_webserver_has_been_looked_at() -> None:
    changing = {each.path for each in routes() if isinstance(each, Route) and "POST" in (each.methods or ())}
    assert changing == CHANGE
    static = {each.path for each in routes() if isinstance(each, Mount)} | {
        each.path for each in routes() if isinstance(each, Route) and "." in each.path
    }
    reading = {each.path for each in routes() if isinstance(each, Route)} - static - CHANGE
    assert reading == READ
    assert {each.path for each in routes() if isinstance(each, WebSocketRoute)} == {GRAPHQL}


def test_with_everything_in_order_it_is_as_if_there_were_no_check() -> None:
    app = App()
    assert ask("GET", "/runs", OURS, app=app).text == "books"
    assert ask("POST", GRAPHQL, OURS | JSON | {"origin": f"http://{HOST}"}, app=app).status == 200
    assert ask("WEBSOCKET", GRAPHQL, OURS | {"origin": f"http://{HOST}"}, app=app).status == 101
    assert app.came == [("GET", "/runs"), ("POST", GRAPHQL), ("WEBSOCKET", GRAPHQL)]


def test_without_the_token_no_route_gives_anything() -> None:
    app = App()
    wrong = cookie_for("u" * 43, NOW)
    until, _, signature = COOKIE.partition("=")[2].partition(".")
    cookies = [
        "", "daybook=", "daybook=.", f"daybook={TOKEN}", f"daybook={wrong}", f"other={COOKIE.partition('=')[2]}",
        f"daybook={until}.", f"daybook={int(until) + 1}.{signature}", f"daybook={until}.{signature}0",
        f"daybook={signature}",
    ]  # fmt: skip
    tokens = ["", "token=", f"token={TOKEN[:-1]}", f"token={TOKEN}x", f"Token={TOKEN}", f"token={TOKEN}&token={TOKEN}"]
    for path, method, cookie, query in product(paths(), (*METHODS, "WEBSOCKET"), cookies, tokens):
        headers = {"host": HOST, "origin": f"http://{HOST}", **JSON} | ({"cookie": cookie} if cookie else {})
        for accept in ({}, {"accept": "text/html"}):
            answer = ask(method, path, headers | accept, query=query, app=app)
            assert answer.status in (401, 403, 404, 405)
            assert TOKEN not in answer.text
            assert answer.of("set-cookie") == []
    assert app.came == []


CONTROLS = {chr(code) for code in (*range(32), 127)}
_WAYS_TO_WRITE = [
    "",
    "/",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\t",
    " ",
    "\0",
    "\x7f",
    "\x0b",
    "\x85",
    "\u2028",
    ";",
    "?",
    "#",
    "%0a",
    ".",
]


@given(
    before=st.sampled_from(["/", "//", "/./", "/\n", "\n/", ""]),
    name=st.sampled_from(sorted(path.partition("{")[0].strip("/") for path in CHANGE)),
    after=st.lists(st.sampled_from([*_WAYS_TO_WRITE, "k"]), max_size=3).map("".join),
    method=st.sampled_from(["GET", "HEAD"]),
    more=st.sampled_from([{}, PAGE, PAGE | {"sec-fetch-site": "same-site"}]),
)
@example(before="/", name="graphql", after="\n", method="GET", more=PAGE | {"sec-fetch-site": "same-site"})
def test_no_way_to_write_an_address_asks_for_what_changes_something(
    before: str, name: str, after: str, method: str, more: dict[str, str]
) -> None:
    """The judge is the webserver's own routes: what they take for an address that changes something never comes there
    by GET, however it is written."""
    path, app = f"{before}{name}{after}", App()
    ask(method, path, OURS | more, app=app)
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    taken = next((each for each in ROUTES if each.matches(scope)[0] == Match.FULL), None)
    if isinstance(taken, Route) and taken.path in CHANGE:
        assert app.came == []


def test_only_reading_is_asked_for_and_only_graphql_is_posted_to() -> None:
    for path, method in product(paths(), METHODS):
        app = App()
        ask(method, path, OURS | JSON, app=app)
        may = method == "POST" if path == GRAPHQL else method in ("GET", "HEAD")
        assert app.came == ([(method, path)] if may else [])


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.example", "evil.example:3000", "127.0.0.1", "127.0.0.1:3001", "127.0.0.1:3000.evil.example",
        "localhost", "localhost:80", "localhost.:3000", "0.0.0.0:3000", "[::1]", "127.1:3000", "books.example.com:3000",
        "127.0.0.1:3000, evil.example", "evil@127.0.0.1:3000", "2130706433:3000", "127.0.0.2:3000", "localhost:03000",
    ],
)  # fmt: skip
def test_under_another_name_nothing_is_answered(host: str) -> None:
    app = App()
    for path, method in product(paths(), ("GET", "POST", "WEBSOCKET")):
        headers = OURS | JSON | {"host": host, "origin": f"http://{host}", "x-forwarded-host": HOST}
        assert ask(method, path, headers, app=app).status in (403, 404, 421)
        assert ask(method, path, {k: v for k, v in headers.items() if k != "host"}, app=app).status in (403, 404, 421)
        assert ask(method, path, headers, query=f"token={TOKEN}", app=app).of("set-cookie") == []
    assert app.came == []


@pytest.mark.parametrize(
    "origin",
    [
        "", "null", "http://evil.example", "http://127.0.0.1", "http://127.0.0.1:4000", "https://127.0.0.1:3000",
        "http://localhost:3000", "http://127.0.0.1:3000.evil.example", "http://127.0.0.1:3000/", "file://",
        "127.0.0.1:3000",        "http://evil@127.0.0.1:3000", "http://127.0.0.1:3000 http://evil.example", "chrome-extension://abc",
    ],
)  # fmt: skip
def test_a_page_of_another_origin_gets_nothing_even_with_the_cookie(origin: str) -> None:
    app = App()
    for path, method in product(paths(), ("GET", "POST", "WEBSOCKET")):
        assert ask(method, path, OURS | JSON | {"origin": origin}, app=app).status in (403, 404, 405)
    assert app.came == []


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "Same-Origin", "none, same-origin", "unheard-of"])
def test_another_site_may_link_to_a_page_and_nothing_else(site: str) -> None:
    said = OURS | JSON | {"sec-fetch-site": site}
    modes = ("navigate", "cors", "no-cors", "websocket", "nested-navigate")
    app = App()
    for path, mode, dest in product(paths(), modes, ("image", "iframe", "object", "")):
        for method in (*METHODS, "WEBSOCKET"):
            where = {"sec-fetch-mode": mode, "sec-fetch-dest": dest}
            assert ask(method, path, said | where, app=app).status in (403, 404, 405)
    for path, method in product(paths(), {*METHODS, "WEBSOCKET"} - {"GET"}):
        ask(method, path, said | PAGE, app=app)
    assert app.came == []
    for path in paths():
        ask("GET", path, said | PAGE, app=app)
    assert app.came == [("GET", path) for path in paths() if path != GRAPHQL]


@pytest.mark.parametrize(
    "kind",
    [
        None, "", "text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x", "text/plain; application/json",
        "multipart/form-data; boundary=application/json",
        "application/jsonp", "application/graphql", "application/json, text/plain", "text/plain, application/json",
        "xapplication/json", "application/json+x", "text/json",
    ],
)  # fmt: skip
def test_what_any_page_may_send_unasked_is_not_read(kind: str | None) -> None:
    app = App()
    headers = OURS | ({} if kind is None else {"content-type": kind})
    assert ask("POST", GRAPHQL, headers, query="query=mutation{x}", app=app).status == 415
    assert app.came == []


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON ;x=y"])
def test_json_is_read_however_it_is_written(kind: str) -> None:
    assert ask("POST", GRAPHQL, OURS | {"content-type": kind}).status == 200


@pytest.mark.parametrize(
    "name", ["host", "origin", "content-type", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"]
)
def test_a_header_that_is_there_twice_is_refused_whichever_would_do(name: str) -> None:
    good = OURS | JSON | PAGE | {"origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}
    for method in ("POST", "GET", "WEBSOCKET"):
        for other in (good[name], "evil.example"):
            app = App()
            assert ask(method, GRAPHQL, [*good.items(), (name, other)], app=app).status in (400, 403)
            assert ask(method, GRAPHQL, [(name, other), *good.items()], app=app).status in (400, 403)
            assert app.came == []


def test_a_websocket_has_to_say_where_it_comes_from_and_is_only_at_graphql() -> None:
    app = App()
    assert ask("WEBSOCKET", GRAPHQL, OURS, app=app).status == 403
    for path in set(paths()) - {GRAPHQL}:
        assert ask("WEBSOCKET", path, OURS | {"origin": f"http://{HOST}"}, app=app).status == 403
    assert app.came == []


def test_the_link_logs_a_browser_in_and_leads_to_the_same_page_without_the_token() -> None:
    app = App()
    answer = ask("GET", "/runs", {"host": HOST} | PAGE, query=f"a=1&token={TOKEN}&b=%26", app=app)
    assert app.came == []
    assert answer.status == 303
    assert answer.of("location") == ["/runs?a=1&b=%26"]
    assert answer.of("referrer-policy") == ["no-referrer"]
    assert answer.of("cache-control") == ["no-store"]
    (cookie,) = answer.of("set-cookie")
    pair, *attributes = cookie.split("; ")
    assert set(attributes) == {"HttpOnly", f"Max-Age={LIFETIME}", "Path=/", "SameSite=strict"}
    assert TOKEN not in cookie
    assert ask("GET", "/runs", {"host": HOST, "cookie": f"x=1; {pair}; y=2"}).status == 200


def test_a_cookie_that_somebody_else_set_does_not_log_a_browser_out() -> None:
    assert ask("GET", "/", OURS | {"cookie": f"daybook=theirs; {COOKIE}"}).status == 200


def test_a_cookie_that_another_user_of_the_machine_was_sent_is_not_good_for_them() -> None:
    (cookie,) = ask("GET", "/", {"host": HOST}, query=f"token={TOKEN}", user="1000").of("set-cookie")
    mine = {"host": HOST, "cookie": cookie.partition(";")[0], "origin": f"http://{HOST}"}
    assert ask("GET", "/", mine, user="1000").status == 200
    for user in ("1001", "0", "", "100", "10000"):
        assert ask("GET", "/", mine, user=user).status == 401
        assert ask("POST", GRAPHQL, mine | JSON, user=user).status == 401
        assert ask("WEBSOCKET", GRAPHQL, mine, user=user).status == 403


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="this machine doesn't list its connections")
def test_the_other_end_of_a_connection_has_a_user_as_long_as_it_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        scope = {"client": client.getsockname(), "server": server.getsockname()}
        assert peer_user(scope) == str(os.geteuid())
        client.close()
        assert peer_user(scope) == ""
    for unknown in ({}, {"client": None, "server": None}, {"client": ("::1", 1), "server": ("::1", 2)}):
        assert peer_user(unknown) == ""


def test_a_browser_is_logged_out_after_a_week() -> None:
    assert ask("GET", "/", OURS, now=NOW + LIFETIME - 1).status == 200
    assert ask("GET", "/", OURS, now=NOW + LIFETIME).status == 401


def test_a_stranger_is_asked_for_the_token_by_a_page_that_fetches_nothing() -> None:
    answer = ask("GET", "/runs", {"host": HOST, "accept": "text/html,*/*"})
    assert answer.status == 401
    assert '<form action="/" method="get">' in answer.text
    assert "Go on" not in answer.text
    assert any(policy.startswith("default-src 'none'") for policy in answer.of("content-security-policy"))
    assert answer.of("referrer-policy") == ["no-referrer"]
    assert "books" not in answer.text


@given(path=st.text(max_size=30).map(lambda rest: f"/{rest}"), query=st.text(max_size=30))
@example(path="//evil.example/a", query="")
@example(path="/\\evil.example", query='">')
def test_a_link_from_elsewhere_is_offered_again_as_text_and_never_leads_away(path: str, query: str) -> None:
    headers = {"host": HOST, "sec-fetch-site": "cross-site"} | PAGE
    if path == GRAPHQL or set(path) & CONTROLS or "token" in query:
        return
    text = ask("GET", path, headers, query=query).text
    link = text.partition('<a href="')[2].partition('"')[0]
    assert urlsplit(urljoin(f"http://{HOST}/", link)).netloc == HOST
    assert not set("<>'\n") & set(link)


@given(path=st.text(max_size=40).map(lambda rest: f"/{rest}"))
@example(path="//evil.example/a")
@example(path="/\\evil.example")
def test_the_link_with_the_token_never_leads_to_another_host(path: str) -> None:
    answer = ask("GET", path, {"host": HOST}, query=f"token={TOKEN}")
    if path == GRAPHQL or set(path) & CONTROLS:
        assert answer.status in (400, 405)
        return
    (location,) = answer.of("location")
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert location.isascii()
    assert urlsplit(urljoin(f"http://{HOST}/", location)).netloc == HOST


@given(
    method=st.sampled_from((*METHODS, "WEBSOCKET")),
    path=st.one_of(st.sampled_from(paths()), st.text(max_size=20)),
    query=st.text(st.characters(max_codepoint=255), max_size=60),
    headers=st.lists(
        st.tuples(
            st.sampled_from(["host", "origin", "cookie", "content-type", "sec-fetch-site", "accept", "authorization"]),
            st.one_of(
                st.sampled_from([HOST, f"http://{HOST}", "application/json", "same-origin", "text/html", "cross-site"]),
                st.text(st.characters(max_codepoint=255), max_size=40),
            ),
        ),
        max_size=8,
    ),
)
def test_nothing_that_can_be_made_up_without_the_token_comes_through(
    method: str, path: str, query: str, headers: list[tuple[str, str]]
) -> None:
    app = App()
    answer = ask(method, path, headers, query=query, app=app)
    assert app.came == []
    assert answer.status in (400, 401, 403, 404, 405, 415, 421)


def test_no_answer_may_be_framed_or_loaded_by_another_page() -> None:
    for answer in (
        ask("GET", "/", OURS),
        ask("GET", "/", {"host": HOST}),
        ask("GET", "/", {"host": HOST}, query=f"token={TOKEN}"),
        ask("GET", GRAPHQL, OURS),
    ):
        assert answer.of("x-frame-options") == ["SAMEORIGIN"]
        assert answer.of("content-security-policy")[-1] == "frame-ancestors 'self'"
        assert answer.of("cross-origin-resource-policy") == ["same-origin"]
        assert answer.of("cross-origin-opener-policy") == ["same-origin"]
        assert not [name for name, _ in answer.headers if name.startswith("access-control")]


def test_behind_a_proxy_its_name_is_one_of_ours_and_its_cookie_needs_tls() -> None:
    url = "https://Books.example.com/dagster"
    for host in ("books.example.com", "books.example.com:443", "BOOKS.example.com"):
        there = OURS | JSON | {"host": host, "origin": "https://books.example.com"}
        assert ask("POST", GRAPHQL, there, url=url).status == 200
        assert ask("POST", GRAPHQL, there | {"origin": "http://books.example.com"}, url=url).status == 403
        assert ask("POST", GRAPHQL, there | {"origin": f"http://{HOST}"}, url=url).status == 403
        assert "Secure" in ask("GET", "/", there, query=f"token={TOKEN}", url=url).of("set-cookie")[0]
    assert ask("GET", "/", OURS | {"host": "books.example.com:3000"}, url=url).status == 421
    assert ask("GET", "/", OURS, url=url).status == 200
    assert ask("POST", GRAPHQL, OURS | JSON | {"origin": "https://books.example.com"}, url=url).status == 403


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        (None, set()),
        ("http://127.0.0.1:3001", {"127.0.0.1:3001"}),
        ("http://books.example.com", {"books.example.com", "books.example.com:80"}),
        ("https://books.example.com:8443", {"books.example.com:8443"}),
        ("https://[2001:db8::1]", {"[2001:db8::1]", "[2001:db8::1]:443"}),
    ],
)
def test_the_hosts_are_those_of_loopback_and_of_the_address_of_the_ui(url: str | None, hosts: set[str]) -> None:
    own = {"127.0.0.1:3000", "localhost:3000", "[::1]:3000"}
    assert set(allowed_origins(PORT, url)) == own | hosts
