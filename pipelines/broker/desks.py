"""Several desks of one broker: each request of an account goes out with that account's own key.

The key is chosen in one place, by the path that is asked for; whoever reads knows nothing of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from pipelines.broker.http import GaveUp, Http, Replies, Reply
from pipelines.broker.redaction import Redaction
from pipelines.desk_keys import DeskKey
from pipelines.errors import Unauthorized

T = TypeVar("T")
_OF_ACCOUNT = re.compile(r"/v1/accounts/([0-9]+)/")


class Desks(Replies):
    """The replies of one broker to several keys. `others` answers for accounts that no desk has, and for all that is of
    no account; without a key of its own that is the first desk's.

    A key that the broker refuses (401) fails the reads of its own accounts, and never those of others.
    """

    def __init__(self, others: Http | None, desks: Sequence[tuple[DeskKey, Http]]) -> None:
        super().__init__(Redaction())  # each answer is cleaned by the one who got it, of all keys
        named = [(None, others)] if others else []
        self._named: list[tuple[DeskKey | None, Http]] = [*named, *desks]
        self._others = self._named[0][1]
        self._of = {account: (desk, http) for desk, http in desks for account in desk.accounts}
        self.is_local = self._others.is_local

    def fetch(
        self, path: str, params: Mapping[str, str], understand: Callable[[Reply], T], heard: Callable[[Reply], None]
    ) -> T:
        """See `Replies.fetch`."""
        account = _OF_ACCOUNT.match(path)
        desk, http = self._of.get(account[1] if account else "", self._named[0])
        return _fetch(desk, http, path, params, understand, heard)

    def lists(self) -> list[Replies]:
        """One for each key: the accounts that it sees."""
        return [_OfDesk(desk, http) for desk, http in self._named]

    def close(self) -> None:
        """Close the connections of all."""
        for _, http in self._named:
            http.close()

    def clean(self, text: str) -> str:
        """See `Replies.clean`."""
        return self._others.clean(text)


class _OfDesk(Replies):
    """The replies to one desk's key."""

    def __init__(self, desk: DeskKey | None, http: Http) -> None:
        super().__init__(Redaction())
        self._desk, self._http = desk, http
        self.is_local = http.is_local

    def fetch(
        self, path: str, params: Mapping[str, str], understand: Callable[[Reply], T], heard: Callable[[Reply], None]
    ) -> T:
        """See `Replies.fetch`."""
        return _fetch(self._desk, self._http, path, params, understand, heard)

    def close(self) -> None:
        """Nothing: the connections are those of all desks."""

    def clean(self, text: str) -> str:
        """See `Replies.clean`."""
        return self._http.clean(text)


def _fetch(
    desk: DeskKey | None,
    http: Http,
    path: str,
    params: Mapping[str, str],
    understand: Callable[[Reply], T],
    heard: Callable[[Reply], None],
) -> T:
    try:
        return http.fetch(path, params, understand, heard)
    except Unauthorized as refused:
        variable = desk.variable if desk else "CLEAR_STREET_API_KEY"
        raise GaveUp(f"{refused}; it is the key of {variable}", reply=None) from None
