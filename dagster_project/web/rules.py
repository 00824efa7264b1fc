"""What may reach Dagster's webserver at all, by its path, method and headers alone; the token is asked for afterwards.

The webserver trusts whoever reaches it: it takes a mutation from a link, from a form of any page, and under any host
name. A browser says in its headers which page a request comes from, and no page can change what it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers

#: The one path that is posted to and that WebSockets are opened on.
GRAPHQL = "/graphql"
_ONCE = ("host", "origin", "content-type", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Refusal:
    """Why a request goes no further."""

    status: int
    sentence: str


def allowed_origins(port: int, url: str | None = None) -> dict[str, str]:
    """The origin of each Host that is ours: loopback at `port`, and the host of `url`, where a proxy stands."""
    hosts = [f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"]
    origins = {host: f"http://{host}" for host in hosts}
    if url:
        parts = urlsplit(url.lower())
        bare = f"[{parts.hostname}]" if ":" in str(parts.hostname) else str(parts.hostname)
        default = _DEFAULT_PORTS[parts.scheme]
        if parts.port in (None, default):  # browsers leave it out; others may not
            origins |= dict.fromkeys((bare, f"{bare}:{default}"), f"{parts.scheme}://{bare}")
        else:
            origins[f"{bare}:{parts.port}"] = f"{parts.scheme}://{bare}:{parts.port}"
    return origins


def refusal_of_request(method: str, path: str, headers: Headers, origins: Mapping[str, str]) -> Refusal | None:
    """Why a request is refused; None where it may go on to the token."""
    return (
        _by_host(headers, origins)
        or _by_path(path)
        or _by_method(method, path)
        or _by_origin(headers, origins)
        or _by_page(headers, is_page=_is_page(method, headers))
        or (_by_content_type(headers) if method == "POST" else None)
    )


def refusal_of_websocket(path: str, headers: Headers, origins: Mapping[str, str]) -> Refusal | None:
    """Why a WebSocket is refused; None where it may go on to the token. Every browser names the origin of one."""
    if path != GRAPHQL:
        return Refusal(404, "There is no WebSocket here.")
    if refusal := _by_host(headers, origins):
        return refusal
    if "origin" not in headers:
        return Refusal(403, "A WebSocket has to name its origin.")
    return _by_origin(headers, origins) or _by_page(headers, is_page=False)


def _by_host(headers: Headers, origins: Mapping[str, str]) -> Refusal | None:
    """A page whose name was pointed at this machine (DNS rebinding) still says its own name."""
    if any(len(headers.getlist(name)) > 1 for name in _ONCE):
        return Refusal(400, "A header that says where the request comes from is there twice.")
    if headers.get("host", "").lower() not in origins:
        return Refusal(
            421,
            "This is not a name of daybook's: open 127.0.0.1, or set DAYBOOK_DAGSTER_URL to the address of the proxy.",
        )
    return None


def _by_path(path: str) -> Refusal | None:
    """No address of the UI has a control character, and to Starlette's routes a newline at the end is nothing."""
    if any(letter < " " or letter == "\x7f" for letter in path):
        return Refusal(400, "There is no such page.")
    return None


def _by_method(method: str, path: str) -> Refusal | None:
    """Only GraphQL is posted to, and it is nothing but posted to: a link must not be a query, nor a mutation."""
    if method == "POST" and path == GRAPHQL:
        return None
    if method in ("GET", "HEAD") and path != GRAPHQL:
        return None
    return Refusal(405, "Pages are asked for (GET), and GraphQL is posted to.")


def _by_origin(headers: Headers, origins: Mapping[str, str]) -> Refusal | None:
    """An origin has to be the very one that the host belongs to: another port of this machine is somebody else's."""
    said = headers.get("origin")
    if said is not None and said.lower() != origins[headers["host"].lower()]:
        return Refusal(403, "This was sent by a page of another origin.")
    return None


def _by_page(headers: Headers, *, is_page: bool) -> Refusal | None:
    """Other sites may link to a page, and embed, fetch or post nothing. Programs that are no browser don't say."""
    if is_page or headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
        return None
    return Refusal(403, "This was sent by a page of another site.")


def _is_page(method: str, headers: Headers) -> bool:
    opened = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
    return method == "GET" and opened


def _by_content_type(headers: Headers) -> Refusal | None:
    """Any page may send text, forms or nothing at all without asking first; JSON it may not."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return Refusal(415, "GraphQL is posted here as application/json and nothing else.")
    return None
