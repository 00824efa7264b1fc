"""Following the pages of a listing: the metadata of each page must agree with that of the pages before it."""

from __future__ import annotations

from urllib.parse import quote

from models.envelope import Metadata

#: How long a page token may be, as it stands in an address. Servers refuse longer addresses, and so does httpx.
LONGEST_TOKEN = 8_000


class Broken(Exception):
    """A listing that can't be read to its end. `check_name` names the guard."""

    def __init__(self, check_name: str, message: str) -> None:
        super().__init__(message)
        self.check_name = check_name


class Moved(Broken):
    """A listing that changed while it was read: worth starting over from page 1."""


class Guards:
    """The memory of one pass through a listing."""

    def __init__(self) -> None:
        self.pages = 0
        self.total_items: int | None = None
        self._total_pages: int | None = None
        self._number: int | None = None
        self._tokens: set[str] = set()

    def next_token(self, metadata: Metadata, rows: int) -> str | None:
        """The token of the next page, None after the last one.

        Raises Broken for a loop or a gap, and Moved where the totals changed. The token is looked at first: a server
        that repeats itself breaks the other rules, too, and this is the reason that helps.
        """
        self.pages += 1
        token = metadata.next_page_token
        if token is not None:
            self._new_token(token, rows)
        self._one_further(metadata.page_number)
        self.total_items = _unchanged("total_items", self.total_items, metadata.total_items)
        self._total_pages = _unchanged("total_pages", self._total_pages, metadata.total_pages)
        self._not_endless(token, rows)
        return token

    def _new_token(self, token: str, rows: int) -> None:
        if (length := _length(token)) is None:
            raise Broken("page_token_is_no_text", f"page {self.pages} names a next page by a token that is no text")
        if length > LONGEST_TOKEN:
            raise Broken(
                "page_token_too_long",
                f"page {self.pages} names a next page by a token of {length} letters: no address"
                f" holds more than {LONGEST_TOKEN}",
            )
        if token in self._tokens:
            raise Broken(
                "repeated_page_token", f"page {self.pages} repeated a page token, so the listing would never end"
            )
        self._tokens.add(token)
        if not rows:
            raise Broken("empty_page_with_token", f"page {self.pages} is empty, yet names a next page")

    def _one_further(self, number: int | None) -> None:
        if number is not None and self._number is not None and number != self._number + 1:
            raise Broken("page_number_jump", f"page number {number} came after page number {self._number}")
        self._number = number if number is not None else self._number

    def _not_endless(self, token: str | None, rows: int) -> None:
        # an empty page at the very end is a way to say "that was all"
        if self._total_pages is not None and self.pages > max(self._total_pages, 1) and (rows or token):
            raise Broken("too_many_pages", f"page {self.pages} came of a listing of {self._total_pages} pages")


def _length(token: str) -> int | None:
    """How long a token is in an address; None where no address can have it."""
    try:
        return len(quote(token, safe=""))
    except UnicodeEncodeError:
        return None


def _unchanged(name: str, before: int | None, now: int | None) -> int | None:
    if before is not None and now is not None and before != now:
        raise Moved("total_changed", f"{name} changed from {before} to {now} while the pages were read")
    return before if now is None else now
