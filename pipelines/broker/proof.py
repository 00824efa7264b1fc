"""One pass through a listing, page by page: pages are followed, and rows taken in, only as far as they can be proven to
belong there. What one page's metadata says must fit what the former ones said."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from operator import itemgetter
from typing import Any, Generic
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from models.drift import Observed, observe
from models.envelope import Metadata
from models.reading import Page, Problem, Rejected
from models.shapes import INSTRUCTIONS, POSITIONS, Shape
from models.text import SHOWN
from pipelines.broker.columns import json_of, to_batch
from pipelines.broker.page_table import PageTable
from pipelines.broker.read import Batch, Finding, Keep, KeepColumns

NIL_UUID = "00000000-0000-0000-0000-000000000000"

#: How long a page token may be, as it stands in an address. Servers refuse longer addresses, and so does httpx.
LONGEST_TOKEN = 8_000
#: How many undocumented fields, or values, of a read are a finding each. All of them are counted.
NAMED = 100

#: What has to be equal in two reads of the same book: prices may move between them, holdings may not.
Holding = tuple[Any, Any, Any]


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


@dataclass
class Pass(Generic[Batch]):
    """What one pass has brought so far. `seen` maps the key of a row to a fingerprint of all of it; `columns` are the
    pages that were read as columns, which `batches` has too, and `held` their holdings by the hash of their rows."""

    shape: Shape
    account_id: str
    keep: Keep[Batch]
    began_at: datetime
    keep_columns: KeepColumns[Batch] | None = None
    batches: list[Batch] = field(default_factory=list)
    rows: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)
    pages: int = 0
    http_status: int | None = None
    observed: Observed = field(default_factory=Observed)
    seen: dict[Any, int] = field(default_factory=dict)
    columns: list[pa.Table] = field(default_factory=list)
    holdings: dict[str, Holding] = field(default_factory=dict)
    held: dict[bytes, dict[str, Holding]] = field(default_factory=dict)
    numbers: Counter[str] = field(default_factory=Counter)

    def take(self, page: Page, *, last: bool) -> None:
        """Take a page in. Raises Moved where a row contradicts one that came before."""
        self._count(page.metadata)
        self.rejected += page.rejected
        self._note(page.problems)
        rows = self._unrepeated(self._own(page.rows), last=last)
        if self.shape is POSITIONS:
            self._check_signs(rows)
            self.holdings.update(holdings_of(rows))
        elif self.shape is INSTRUCTIONS:
            self._check_ids(rows)
        self.observed += observe(self.shape, rows)
        self.rows += len(rows)
        self.batches.append(self.keep(self.shape, rows))

    def take_columns(self, page: PageTable) -> None:
        """Take in a page that `has_none_of` was asked about: there is nothing to say of it."""
        assert self.keep_columns is not None  # noqa: S101  (without it no page is read as columns)
        self._count(page.metadata)
        self.holdings.update(page.holdings)
        if page.rows_hash is not None:
            self.held[page.rows_hash] = page.holdings
        self.observed += page.observed
        self.rows += len(page.table)
        self.columns.append(page.table)
        self.batches.append(self.keep_columns(page.table))

    def has_none_of(self, page: PageTable) -> bool:
        """Whether no instrument of the page has come before."""
        return self.holdings.keys().isdisjoint(page.holdings)

    def finish(self, total_items: int | None) -> None:
        """The checks that need the whole listing. `total_items` is how many rows the broker says there are."""
        came = self.rows + len(self.rejected)
        if total_items is not None and came != total_items:
            self.fail("rows_lost", f"{came} different rows came where the broker counts {total_items}", str(came))
        for name, count in self.numbers.items():
            message = f"{name} came as a JSON number instead of text in {count} rows; the digits were kept"
            self.findings.append(Finding("number_instead_of_text", "WARN", message, value=str(count)))
        self._note_drift()

    def fail(self, check_name: str, message: str, value: str | None = None, instrument_id: str | None = None) -> None:
        """Note something that makes the read incomplete."""
        self.findings.append(Finding(check_name, "FAIL", message, instrument_id, value))

    def _note_drift(self) -> None:
        fields, enums = self.observed.unknown_fields, self.observed.unknown_enums
        for name, count in islice(fields.items(), NAMED):
            message = f"{self.shape.name} has a field that is not documented, {name[:SHOWN]}, in {count} rows"
            self.findings.append(Finding("unknown_field", "WARN", message, value=name))
        for (name, value), count in islice(enums.items(), NAMED):
            message = f"{name} has a value that is not documented, {value[:SHOWN]}, in {count} rows"
            self.findings.append(Finding("unknown_enum", "WARN", message, value=value))
        for check, what, count in (("unknown_field", "fields", len(fields)), ("unknown_enum", "values", len(enums))):
            if count > NAMED:
                message = f"{count - NAMED} more {what} of {self.shape.name} are not documented: see quality.drift"
                self.findings.append(Finding(check, "WARN", message, value=str(count)))

    def _count(self, metadata: Metadata) -> None:
        self.pages += 1
        if metadata.request_id:
            self.request_ids.append(metadata.request_id)

    def _note(self, problems: list[Problem]) -> None:
        for problem in problems:
            if problem.check_name == "number_instead_of_text":  # the digits are in the row: counting them is enough
                self.numbers[problem.field or ""] += 1
                continue
            finding = Finding(
                problem.check_name, problem.severity, problem.message, problem.instrument_id, problem.value
            )
            self.findings.append(finding)

    def _own(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows of the account that was asked for, each with its id; others are put aside."""
        if not self.account_id:
            return rows
        owners = Counter(row.setdefault("account_id", self.account_id) for row in rows)
        del owners[self.account_id]
        for other, count in owners.items():
            self.fail("foreign_account", f"{count} rows belong to account {other}", other)
        if not owners:
            return rows
        for row in rows:
            if row["account_id"] != self.account_id:
                reason = f"the row belongs to account {row['account_id']}, account {self.account_id} was asked for"
                self.rejected.append(Rejected(json_of(row), reason, self._name(row)))
        return [row for row in rows if row["account_id"] == self.account_id]

    def _unrepeated(self, rows: list[dict[str, Any]], *, last: bool) -> list[dict[str, Any]]:
        """The rows without those that came before. Raises Moved where only the key is the same."""
        if not self.shape.key:
            return rows
        keys = list(map(itemgetter(*self.shape.key), rows))
        first_in_columns = not self.columns or self.holdings.keys().isdisjoint(row["instrument_id"] for row in rows)
        if first_in_columns and len(set(keys)) == len(keys) and self.seen.keys().isdisjoint(keys):
            if not last:  # nothing comes after the last page that could repeat it
                self.seen.update(zip(keys, map(_fingerprint, rows), strict=True))
            return rows
        return [row for key, row in zip(keys, rows, strict=True) if self._is_new(key, row)]

    def _is_new(self, key: Any, row: dict[str, Any]) -> bool:
        fingerprint, former = _fingerprint(row), self._in_columns(row)
        if key not in self.seen and former is None:
            self.seen[key] = fingerprint
            return True
        if not (former.equals(to_batch(self.shape, [row])) if former else self.seen[key] == fingerprint):
            raise Moved("duplicate_row_differs", f"row {self._name(row)} came twice with different contents")
        message = f"{self.shape.name} row {self._name(row)} came twice, the same both times; kept once"
        self.findings.append(Finding("duplicate_row", "WARN", message, row.get("instrument_id")))
        return False

    def _in_columns(self, row: dict[str, Any]) -> pa.Table | None:
        """The row of the same instrument, where it came before on a page that was read as columns."""
        for table in self.columns:
            if found := table.filter(pc.equal(table["instrument_id"], row["instrument_id"])):
                return found
        return None

    def _name(self, row: dict[str, Any]) -> str:
        return "|".join(str(row.get(name)) for name in self.shape.key)

    def _check_signs(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            quantity, side = row["quantity"], row["position_type"]
            wrong = "LONG" if quantity.startswith("-") else "SHORT"
            if side.startswith(wrong) and quantity.strip("-0."):  # of nothing, either side is right
                message = f"{row['symbol']} is {side} with a quantity of {quantity}"
                self.fail("sign_mismatch", message, quantity, row["instrument_id"])

    def _check_ids(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if row["id"] == NIL_UUID:
                self.fail("nil_instruction_id", "an instruction is listed without an id of its own", NIL_UUID)


def holdings_of(rows: list[dict[str, Any]]) -> dict[str, Holding]:
    """instrument_id to (quantity, avg_price, cost_basis), each as the row has it."""
    return {row["instrument_id"]: (row["quantity"], row.get("avg_price"), row.get("cost_basis")) for row in rows}


def _fingerprint(row: dict[str, Any]) -> int:
    try:
        return hash((*row, *row.values()))
    except TypeError:  # an undocumented field that holds a list or an object
        return hash(repr(row))
