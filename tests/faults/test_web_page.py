"""A web page can't trade: whatever it makes a browser send, nothing is launched and the broker hears nothing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from pipelines.sandbox.server import Sandbox
from tests.faults.test_loopback import family_of
from tests.support.browser import Tab, needs_chromium, page
from tests.support.command_line import KEY, daybook, environment
from tests.support.dagster_ui import LAUNCH, Dev, daybook_dev, to_launch, wait_for
from tests.support.evil_page import EvilPage
from tests.support.trading_server import Recorder

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]

ACCOUNT = "20517"
TRADING = "trading-key-that-must-never-be-seen-4711"
#: What the stand-in's account holds at the time of these tests: the job trades only where that is stated.
HELD = {"AAPL": "2400", "GOOG": "200", "IBM": "500", "MSFT": "-2000"}
CONFIG = {"ops": {"close_positions_op": {"config": {"account": ACCOUNT, "confirm": ACCOUNT, "positions": HELD}}}}
MUTATION: dict[str, Any] = {"query": LAUNCH, "variables": {"run": to_launch("close_positions", [], CONFIG)}}
JSON = {"Content-Type": "application/json"}
EVIL = "evil.example"
GRAPHQL = Subprotocol("graphql-ws")


@dataclass(frozen=True)
class Stage:
    """A UI whose jobs may trade, and the broker whom they would tell."""

    dev: Dev
    broker: Recorder

    @contextmanager
    def nothing_happens(self) -> Iterator[None]:
        """Fails where the block launches a run, or the broker hears of anything."""
        before = self.dev.runs(), len(self.broker.requests)
        yield
        assert (self.dev.runs(), len(self.broker.requests)) == before


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("web")
    with Sandbox(seed=1, short_sales=False) as sandbox, Recorder(sandbox.url) as broker:
        sandbox.clock.set(datetime(2005, 2, 3, 18, tzinfo=UTC))
        on = {"DAYBOOK_TRADING_JOBS": "on", "CLEAR_STREET_TRADING_API_KEY": TRADING}
        with daybook_dev(environment(folder / "home", broker.url, **on), folder / "dev.log") as dev:
            yield Stage(dev, broker)


@pytest.fixture
def evil() -> Iterator[EvilPage]:
    with EvilPage(MUTATION["query"], MUTATION["variables"]) as server:
        yield server


def as_query() -> str:
    return f"query={quote(LAUNCH)}&variables={quote(json.dumps(MUTATION['variables']))}"


def send(dev: Dev, method: str, path: str, headers: dict[str, str], content: bytes | None = None) -> int:
    with httpx.Client(base_url=dev.url, trust_env=False, timeout=60) as client:
        request = client.build_request(method, path, headers=headers, content=content)
        if content is not None and "Content-Type" not in headers:
            request.headers.pop("Content-Type", None)
        return client.send(request).status_code


BODY = json.dumps(MUTATION).encode()
LINK = f"/graphql?{as_query()}"
WITH_COOKIE: dict[str, tuple[str, str, dict[str, str], bytes | None]] = {
    "a link": ("GET", LINK, {}, None),
    "a link that wants a page": ("GET", LINK, {"Accept": "text/html"}, None),
    "a link that says it is our own page's": ("GET", LINK, {"Sec-Fetch-Site": "same-origin"}, None),
    "a link under another spelling": ("GET", LINK.replace("graphql", "%67raphql"), {}, None),
    "a look at the head of a link": ("HEAD", LINK, {}, None),
    "nothing, with the mutation in the link": ("POST", LINK, {}, None),
    "text": ("POST", "/graphql", {"Content-Type": "text/plain"}, BODY),
    "text, with the mutation in the link": ("POST", LINK, {"Content-Type": "text/plain"}, BODY),
    "text that speaks of JSON": ("POST", "/graphql", {"Content-Type": "text/plain; application/json"}, BODY),
    "a form": ("POST", LINK, {"Content-Type": "application/x-www-form-urlencoded"}, as_query().encode()),
    "a form in parts": ("POST", LINK, {"Content-Type": "multipart/form-data; boundary=application/json"}, b""),
    "GraphQL as such": ("POST", "/graphql", {"Content-Type": "application/graphql"}, LAUNCH.encode()),
    "no content type": ("POST", "/graphql", {}, BODY),
    "another origin": ("POST", "/graphql", JSON | {"Origin": f"http://{EVIL}"}, BODY),
    "another port": ("POST", "/graphql", JSON | {"Origin": "http://127.0.0.1:1"}, BODY),
    "no origin that has a name": ("POST", "/graphql", JSON | {"Origin": "null"}, BODY),
    "another site": ("POST", "/graphql", JSON | {"Sec-Fetch-Site": "cross-site"}, BODY),
    "another host of this site": ("POST", "/graphql", JSON | {"Sec-Fetch-Site": "same-site"}, BODY),
    "another host name": ("POST", "/graphql", JSON | {"Host": f"{EVIL}:3000"}, BODY),
    "another host name that a proxy is said to have had": (
        "POST", "/graphql", JSON | {"Host": EVIL, "X-Forwarded-Host": "127.0.0.1"}, BODY,
    ),
    "another method by header": ("GET", LINK, {"X-HTTP-Method-Override": "POST"}, None),
    "another method": ("PUT", "/graphql", JSON, BODY),
    "what asks before it posts": ("OPTIONS", "/graphql", {"Access-Control-Request-Method": "POST"}, None),
    "a report of a materialization": ("POST", "/report_asset_materialization/published", JSON, b"{}"),
    "a report of a check": ("POST", "/report_asset_check/published?check_name=fresh&passed=true", JSON, b"{}"),
    "a report of an observation": ("POST", "/report_asset_observation/published", JSON, b"{}"),
}  # fmt: skip


@pytest.mark.parametrize("name", WITH_COOKIE)
def test_what_a_page_can_make_a_browser_send_is_refused_with_the_cookie_too(stage: Stage, name: str) -> None:
    method, path, headers, content = WITH_COOKIE[name]
    with stage.nothing_happens():
        for who in ({}, {"Cookie": stage.dev.cookie}):
            assert send(stage.dev, method, path, headers | who, content) in (401, 403, 405, 415, 421)


@pytest.mark.parametrize(
    "who", [{}, {"Cookie": "daybook_3000=1.a"}, {"Authorization": f"Bearer {KEY}"}, {"X-Forwarded-For": "127.0.0.1"}]
)
def test_another_user_of_the_machine_gets_nothing_without_the_token(stage: Stage, who: dict[str, str]) -> None:
    paths = [
        "/", "/runs", "/server_info", "/dagit_info", "/logs/a/b/c.out", "/notebook?path=a.ipynb&repoLocName=daybook",
        "/dagit/notebook?path=a.ipynb&repoLocName=daybook", "/download_debug/a", "/index.html", "/robots.txt",
        "/manifest.json", "/_next/static/chunks/main.js", "/vendor/graphiql/graphiql.min.css", "/graphql",
    ]  # fmt: skip
    with stage.nothing_happens():
        for path in paths:
            assert send(stage.dev, "GET", path, who) in (401, 405)
        own = {"Origin": stage.dev.url, "Sec-Fetch-Site": "same-origin"}
        assert send(stage.dev, "POST", "/graphql", JSON | own | who, BODY) == 401
        assert send(stage.dev, "POST", f"/graphql?token={stage.dev.token}", JSON | own | who, BODY) == 401


_AS_USER = """
import os, socket, sys
user, port = int(sys.argv[1]), int(sys.argv[2])
os.setgroups([]), os.setgid(user), os.setuid(user)
there = socket.socket()
there.connect(("127.0.0.1", port))
there.sendall(sys.stdin.buffer.read())
print(there.recv(100).split()[1].decode())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_cookie_that_another_user_got_hold_of_gives_them_nothing(stage: Stage) -> None:
    host = stage.dev.url.removeprefix("http://")
    head = f"HTTP/1.1\r\nHost: {host}\r\nCookie: {stage.dev.cookie}\r\n"
    post = f"POST /graphql {head}Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY
    get = f"GET /runs {head}\r\n".encode()

    def status(user: int, request: bytes) -> bytes:
        command = [sys.executable, "-c", _AS_USER, str(user), host.rpartition(":")[2]]
        return subprocess.run(command, input=request, capture_output=True, check=True).stdout.strip()

    with stage.nothing_happens():
        assert status(65534, post) == status(65534, get) == b"401"
        assert status(0, get) == b"200"


@pytest.mark.parametrize(
    "head",
    [
        "GET {link} HTTP/1.0\r\nCookie: {cookie}\r\n",
        "GET {link} HTTP/1.1\r\nCookie: {cookie}\r\nHost: {host}\r\nHost: evil.example\r\n",
        "GET {newline} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n",
        "GET http://{host}{link} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n",
        "POST http://evil.example/graphql HTTP/1.1\r\nHost: evil.example\r\nCookie: {cookie}\r\n{json}",
        "POST /graphql HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nContent-Type: text/plain\r\n{json}",
        "POST /graphql HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nOrigin: http://{host}\r\nOrigin: null\r\n{json}",
        "POST /graphql HTTP/1.1\r\nHost: {host}\r\n{json}",
        "POST /graphql HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\n{json}",
    ],
)
def test_what_no_library_would_send_is_refused(stage: Stage, head: str) -> None:
    host = stage.dev.url.removeprefix("http://")
    said = f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n"
    text = head.format(link=LINK, newline=LINK.replace("?", "%0A?", 1), cookie=stage.dev.cookie, host=host, json=said)
    with stage.nothing_happens(), socket.create_connection(("127.0.0.1", int(host.rpartition(":")[2]))) as raw:
        raw.settimeout(30)
        raw.sendall(text.encode() + b"Connection: close\r\n\r\n" + (BODY if "{json}" in head else b""))
        answer = raw.recv(100)
    assert int(answer.split()[1]) in (400, 401, 403, 405, 415, 421)


@pytest.mark.parametrize("origin", [f"http://{EVIL}", "null", "http://127.0.0.1:1", "http://localhost:3000", None])
def test_a_websocket_of_another_origin_is_not_opened(stage: Stage, origin: str | None) -> None:
    url = f"{stage.dev.url.replace('http', 'ws')}/graphql"
    for who in ({}, {"Cookie": stage.dev.cookie}):
        with pytest.raises(InvalidStatus) as caught:
            connect(
                url,
                origin=Origin(origin) if origin else None,
                additional_headers=who,
                subprotocols=[GRAPHQL],
                proxy=None,
            )
        assert caught.value.response.status_code == 403


def test_a_websocket_of_its_own_page_is_opened_with_the_cookie_and_not_without(stage: Stage) -> None:
    url, own = f"{stage.dev.url.replace('http', 'ws')}/graphql", stage.dev.url
    with pytest.raises(InvalidStatus):
        connect(url, origin=Origin(own), subprotocols=[GRAPHQL], proxy=None)
    cookie = {"Cookie": stage.dev.cookie}
    with connect(url, origin=Origin(own), additional_headers=cookie, subprotocols=[GRAPHQL], proxy=None) as opened:
        opened.send(json.dumps({"type": "connection_init"}))
        assert json.loads(opened.recv(timeout=30)) == {"type": "connection_ack"}


def attack(tab: Tab, evil: EvilPage, evil_url: str, target: str) -> dict[str, Any]:
    """Open somebody else's page and let it try everything on a UI; how each attack ended."""
    tab.open(evil_url)
    names = tab.run(evil.attacks_on(target))
    return {name: tab.run(f"attacks[{json.dumps(name)}]()") for name in names}


def rebound() -> str:
    """Have a browser believe that somebody else's name is this machine's, as a name server of theirs can."""
    return f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"


@needs_chromium
def test_the_page_really_sends_what_it_tries(evil: EvilPage) -> None:
    with page(rebound()) as tab:
        names = attack(tab, evil, f"http://{EVIL}:{evil.port}/", f"http://127.0.0.1:{evil.port}")
    came = {name for _, name in evil.requests} - {""}
    assert came == set(names)
    assert len(came) >= 25
    assert ("POST", "form_text") in evil.requests
    assert ("OPTIONS", "fetch_json") in evil.requests


@needs_chromium
@pytest.mark.parametrize("site", ["another site", "another port of this machine"])
def test_no_page_of_another_origin_launches_anything_in_the_browser_of_somebody_logged_in(
    stage: Stage, evil: EvilPage, site: str
) -> None:
    host = EVIL if site == "another site" else "127.0.0.1"
    with page(rebound()) as tab, stage.nothing_happens():
        tab.open(stage.dev.link)
        ended = attack(tab, evil, f"http://{host}:{evil.port}/", stage.dev.url)
        assert ended["websocket"] == ended["events"] == ended["fetch_readable"] == ended["fetch_json"] == "failed"
        assert ended["image"] == ended["script"] == ended["style"] == "failed"
        assert not [text for text in ended.values() if "runId" in text]
        tab.open(f"http://{host}:{evil.port}/")
        tab.leave(f"void (location.href = {json.dumps(evil.link(stage.dev.url))})")
        wait_for(lambda: tab.see("location.pathname") == "/graphql" or None, 30)
        assert "GraphQL is posted to" in tab.run("document.body.innerText")


@needs_chromium
def test_a_form_of_another_page_that_takes_the_whole_window_launches_nothing(stage: Stage, evil: EvilPage) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        with page(rebound()) as tab, stage.nothing_happens():
            tab.open(stage.dev.link)
            tab.open(f"http://127.0.0.1:{evil.port}/")
            how = json.dumps({"method": "post", "enctype": kind, "action": evil.link(stage.dev.url)})
            made = f"Object.assign(document.createElement('form'), {how})"
            tab.leave(f"(() => {{ const made = {made}; document.body.append(made); made.submit(); }})()")
            wait_for(lambda tab=tab: tab.see("location.pathname") == "/graphql" or None, 30)  # type: ignore[misc]
            assert "page of another" in tab.run("document.body.innerText")


@needs_chromium
def test_a_name_that_was_pointed_at_this_machine_gets_nothing(stage: Stage) -> None:
    port = stage.dev.url.rpartition(":")[2]
    with page(rebound()) as tab, stage.nothing_happens():
        tab.open(f"http://{EVIL}:{port}/?token={stage.dev.token}")
        assert "not a name of daybook's" in tab.run("document.body.innerText")
        tab.run("fetch('/graphql', {method: 'POST', headers: {'Content-Type': 'application/json'}, "
                f"body: {json.dumps(BODY.decode())}}}).then(answer => answer.text())")  # fmt: skip


@needs_chromium
def test_no_page_frames_the_ui(stage: Stage, evil: EvilPage) -> None:
    with page(rebound()) as tab:
        tab.open(stage.dev.link)
        tab.open(f"http://127.0.0.1:{evil.port}/")
        tab.run(
            "new Promise(done => { const made = document.createElement('iframe'); made.onload = done; "
            f"made.src = {json.dumps(stage.dev.url)}; document.body.append(made); }})"
        )
        wait_for(lambda: [each for each in tab.trouble if "frame" in json.dumps(each).lower()] or None, 30)


@needs_chromium
def test_the_ui_works_in_a_browser_once_the_link_was_opened(stage: Stage) -> None:
    with page() as tab:
        tab.look(1400, 900)
        tab.open(f"{stage.dev.url}/jobs")
        assert tab.run("document.querySelector('input[name=token]') !== null")
        tab.trouble.clear()
        tab.open(f"{stage.dev.url}/jobs?token={stage.dev.token}")
        wait_for(lambda: "end_of_day" in tab.run("document.body.innerText") or None, 60)
        assert tab.run("location.href").startswith(f"{stage.dev.url}/")
        assert "token" not in tab.run("location.href + document.referrer")
        tab.open(f"{stage.dev.url}/assets")
        wait_for(lambda: "account_eod" in tab.run("document.body.innerText") or None, 60)
        tab.keep("dagster-ui")
        fetched = [url for url in tab.requests if url.startswith("http")]
        assert [url for url in fetched if not url.startswith(f"{stage.dev.url}/")] == []
        assert any(url.endswith(".js") for url in fetched)
        assert "daybook" not in tab.run("document.cookie")  # no script reads it
        refused = [each for each in tab.trouble if "401" in json.dumps(each) or "403" in json.dumps(each)]
        assert refused == []


def test_the_link_is_printed_once_and_the_token_is_nowhere_else(stage: Stage, tmp_path: Path) -> None:
    home = Path(stage.dev.token_file).parent
    said = (home.parent / "dev.log").read_text()
    assert said.count(stage.dev.token) == 1
    assert stage.dev.link in said
    token = stage.dev.token.encode()
    found = [path.name for path in home.rglob("*") if path.is_file() and token in path.read_bytes()]
    assert found == ["ui-token"]
    for process in family_of(stage.dev.process.pid):
        assert token not in Path(f"/proc/{process}/cmdline").read_bytes()
        assert token not in Path(f"/proc/{process}/environ").read_bytes()


def test_the_key_that_trades_is_where_runs_run_and_no_key_is_anywhere_else(stage: Stage) -> None:
    with_key = {}
    for process in family_of(stage.dev.process.pid) - {stage.dev.process.pid}:
        command = Path(f"/proc/{process}/cmdline").read_bytes()
        environ = Path(f"/proc/{process}/environ").read_bytes()
        with_key[command] = (KEY.encode() in environ, TRADING.encode() in environ)
    assert [keys for command, keys in with_key.items() if b"dagster._daemon" in command] == [(False, False)]
    assert [keys for command, keys in with_key.items() if b"dagster_project.web.server" in command] == [(False, False)]
    assert [keys for command, keys in with_key.items() if b"code-server" in command] == [(True, True)]


def test_with_the_token_the_same_mutation_trades(stage: Stage) -> None:
    before = len(stage.broker.writes)
    own = {"Origin": stage.dev.url, "Sec-Fetch-Site": "same-origin", "Cookie": stage.dev.cookie}
    assert send(stage.dev, "POST", "/graphql", JSON | own, BODY) == 200
    run = wait_for(lambda: stage.dev.last_run() or None, 30)
    assert stage.dev.end_of(run) == "SUCCESS"
    assert [each.wire[:2] for each in stage.broker.writes[before:]] == [("DELETE", f"/v1/accounts/{ACCOUNT}/positions")]


def test_unless_it_is_asked_for_no_job_trades_and_no_process_has_the_key_that_does(tmp_path: Path) -> None:
    key = {"CLEAR_STREET_TRADING_API_KEY": TRADING}
    with Recorder("http://127.0.0.1:1") as broker:
        with daybook_dev(environment(tmp_path / "home", broker.url, **key), tmp_path / "dev.log") as dev:
            assert dev.jobs() >= {"end_of_day", "rebuild"}
            assert not [job for job in dev.jobs() if "close" in job or "instruction" in job]
            said = dev.ask(LAUNCH, **MUTATION["variables"])["launchRun"]["__typename"]
            assert said != "LaunchRunSuccess"
            assert dev.runs() == 0
            for process in family_of(dev.process.pid) - {dev.process.pid}:
                assert TRADING.encode() not in Path(f"/proc/{process}/environ").read_bytes()
        assert broker.writes == []


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"DAYBOOK_TRADING_JOBS": "yes"}, "DAYBOOK_TRADING_JOBS must be 'on' or 'off'"),
        ({"DAYBOOK_TRADING_JOBS": "on"}, "CLEAR_STREET_TRADING_API_KEY is not set"),
    ],
)
def test_settings_that_can_not_be_used_start_nothing(tmp_path: Path, environ: dict[str, Any], words: str) -> None:
    ended = daybook("dev", home=tmp_path / "home", url="https://broker.example", **environ)
    assert ended.code == 2
    assert words in ended.sentence


def test_a_port_that_somebody_has_is_one_sentence_and_no_token_is_shown(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = daybook("dev", "--port", str(taken.getsockname()[1]), home=tmp_path / "home")
    assert ended.code == 2
    assert "give another one with --port" in ended.sentence
    assert ended.out == ""


def test_a_token_that_others_may_read_starts_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "ui-token").write_text("t" * 43)
    (home / "ui-token").chmod(0o644)
    ended = daybook("dev", "--port", "3999", home=home)
    assert ended.code == 2
    assert "remove the file" in ended.sentence
