"""A page of somebody else's that tries, in every way there is, to launch a run through the browser of who opens it."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self
from urllib.parse import urlencode

#: Each gives a promise of how it ended. `q(name)` is the mutation as a link, `b` the mutation as JSON.
_ATTACKS = """
const element = (tag, attributes) => new Promise(done => {
    const made = document.createElement(tag);
    made.onload = () => done("loaded"); made.onerror = () => done("failed");
    made.onloadedmetadata = () => done("loaded");
    for (const [name, value] of Object.entries(attributes)) made[name] = value;
    document.body.append(made);
});
const form = (name, method, enctype, fields, path) => new Promise(done => {
    const frame = document.createElement("iframe"); frame.name = "of-" + name;
    document.body.append(frame);
    frame.onload = () => done("loaded");
    const made = document.createElement("form");
    Object.assign(made, {method, enctype, action: path, target: frame.name});
    for (const [key, value] of Object.entries(fields)) {
        const field = document.createElement("input");
        Object.assign(field, {type: "hidden", name: key, value}); made.append(field);
    }
    document.body.append(made); made.submit();
});
const fetching = (url, options) => fetch(url, {credentials: "include", ...options})
    .then(async answer => `${answer.type} ${answer.status} ${await answer.text()}`, () => "failed");
const socket = (name) => new Promise(done => {
    const made = new WebSocket(T.replace("http", "ws") + "/graphql?attack=" + name, "graphql-ws");
    made.onopen = () => done("opened"); made.onerror = () => done("failed");
});
const event = name => new Promise(done => {
    const made = new EventSource(q(name), {withCredentials: true});
    made.onopen = () => done("opened"); made.onerror = () => { made.close(); done("failed"); };
});
const xhr = (name, type) => new Promise(done => {
    const made = new XMLHttpRequest(); made.open("POST", q(name)); made.withCredentials = true;
    made.setRequestHeader("Content-Type", type); made.onloadend = () => done("ended"); made.send(b);
});
const beacon = (name, type) => { navigator.sendBeacon(q(name), new Blob([b], {type}));
    return new Promise(done => setTimeout(() => done("sent"), 500)); };
window.attacks = {
    image: () => element("img", {src: q("image")}),
    script: () => element("script", {src: q("script")}),
    module: () => element("script", {src: q("module"), type: "module", crossOrigin: "use-credentials"}),
    style: () => element("link", {rel: "stylesheet", href: q("style")}),
    video: () => element("video", {src: q("video"), preload: "auto"}),
    iframe: () => element("iframe", {src: q("iframe")}),
    object: () => element("object", {data: q("object"), type: "text/html"}),
    form_get: () => form("form_get", "get", "", {...M, attack: "form_get"}, T + "/graphql"),
    form_urlencoded: () => form("form_urlencoded", "post", "application/x-www-form-urlencoded", M,
        q("form_urlencoded")),
    form_multipart: () => form("form_multipart", "post", "multipart/form-data", M, q("form_multipart")),
    form_text: () => form("form_text", "post", "text/plain", {[b.slice(0, -1) + ',"x":"']: '"}'}, q("form_text")),
    fetch_get: () => fetching(q("fetch_get"), {mode: "no-cors"}),
    fetch_text: () => fetching(q("fetch_text"), {mode: "no-cors", method: "POST", body: b}),
    fetch_bare: () => fetching(q("fetch_bare"), {mode: "no-cors", method: "POST"}),
    fetch_form: () => fetching(q("fetch_form"), {mode: "no-cors", method: "POST", body: new URLSearchParams(M)}),
    fetch_untyped: () => fetching(q("fetch_untyped"), {mode: "no-cors", method: "POST", body: new Blob([b])}),
    fetch_readable: () => fetching(q("fetch_readable"), {}),
    fetch_json: () => fetching(q("fetch_json"), {method: "POST", body: b,
        headers: {"Content-Type": "application/json"}}),
    fetch_keepalive: () => fetching(q("fetch_keepalive"), {mode: "no-cors", method: "POST", body: b, keepalive: true}),
    fetch_no_referrer: () => fetching(q("fetch_no_referrer"), {mode: "no-cors", method: "POST", body: b,
        referrerPolicy: "no-referrer"}),
    xhr_text: () => xhr("xhr_text", "text/plain; x=application/json"),
    beacon_text: () => beacon("beacon_text", "text/plain"),
    beacon_form: () => beacon("beacon_form", "application/x-www-form-urlencoded"),
    websocket: () => socket("websocket"),
    events: () => event("events"),
};
"""


class EvilPage:
    """The page on a server of its own. `requests` are those that came to it instead: method and name of the attack."""

    def __init__(self, query: str, variables: dict[str, Any]) -> None:
        self._mutation = {"query": query, "variables": json.dumps(variables)}
        self.requests: set[tuple[str, str]] = set()
        evil = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.partition("attack=")[2].partition("&")[0]
                evil.requests.add((self.command, name))
                body = b"" if name else b"<!doctype html><body>evil"
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_OPTIONS = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self.port = self._server.server_port

    def link(self, target: str, **more: str) -> str:
        """The mutation as a link to a UI."""
        return f"{target}/graphql?{urlencode({**more, **self._mutation})}"

    def attacks_on(self, target: str) -> str:
        """The script that makes `attacks`, by name, against a UI."""
        link = json.dumps(f"{self.link(target)}&attack=")
        body = json.dumps({"query": self._mutation["query"], "variables": json.loads(self._mutation["variables"])})
        head = f"const T = {json.dumps(target)}, M = {json.dumps(self._mutation)}, b = {json.dumps(body)};"
        return f"(() => {{ {head} const q = name => {link} + name; {_ATTACKS} return Object.keys(attacks); }})()"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
