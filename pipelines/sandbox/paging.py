"""Pages: windows on a list, and tokens that say nothing about them."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from pipelines.sandbox.params import Query, integer
from pipelines.sandbox.replies import ErrorAnswer

LARGEST = 1000
_NOT_A_FILTER = {"page_size", "page_token"}


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows go out, and what the metadata say about them."""

    start: int
    stop: int
    metadata: Mapping[str, Any]


class Pager:
    """Hands out tokens and takes them back. A token is a keyed hash, so nothing can be read from it or made up."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._given: dict[str, tuple[str, int, int]] = {}

    def window(self, path: str, query: Query, total: int) -> Window:
        """The page that a request asks for. Refuses bad sizes, unknown tokens and tokens of other filters."""
        scope = "&".join([path, *(f"{name}={query[name]}" for name in sorted(query.keys() - _NOT_A_FILTER))])
        start, size = self._position(scope, query)
        stop = min(start + size, total)
        metadata = {
            "next_page_token": self._token(scope, stop, size) if stop < total else None,
            "previous_page_token": self._token(scope, max(start - size, 0), size) if start else None,
            "page_number": start // size + 1,
            "total_items": total,
            "total_pages": -(-total // size),
        }
        return Window(start, stop, metadata)

    def _position(self, scope: str, query: Query) -> tuple[int, int]:
        token = query.get("page_token")
        if token is None:
            return 0, integer(query, "page_size", LARGEST, 1, LARGEST)
        if token not in self._given:
            raise ErrorAnswer(400, "page_token is not one that was handed out")
        given, start, size = self._given[token]
        if given != scope:
            raise ErrorAnswer(400, "page_token belongs to other filters: repeat them and the sorting with every page")
        return start, size

    def _token(self, scope: str, start: int, size: int) -> str:
        digest = blake2b(f"{scope} {start} {size}".encode(), key=self._secret, digest_size=25).digest()
        token = urlsafe_b64encode(digest).decode()  # 25 bytes: it ends in "==", as some of the broker's do
        self._given[token] = (scope, start, size)
        return token
