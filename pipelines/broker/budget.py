"""What reading may take in all: bounds of time, answers and bytes for a listing, an account and an evening.

A deadline for each page is not enough: a listing whose every page has one row and a new token would keep within all of
them for a week. What runs out is a read that failed, of the account that it was for, and the evening goes on; once the
evening's own is gone, each account that is left is a gap that says so.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from math import inf

from pipelines.broker.http import GaveUp

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """How many seconds, answers and decoded bytes. Answers are pages, those of second looks and of retries too."""

    seconds: float = inf
    answers: float = inf
    size: float = inf


#: 200,000 positions at a broker that takes a second a page are 200 pages, read twice: 7 minutes, and 220 MB. A million
#: positions of one account, read twice, are 2,000 answers and 1.1 GB, and take under four minutes at 20 a second.
LISTING = Limits(15 * 60, 5_000, 2_048 * MIB)
#: An account is positions, instructions, fills, orders, balances and history; only one of them is long as a rule.
ACCOUNT = Limits(20 * 60, 7_500, 3_072 * MIB)
#: A thousand accounts of 5,000 positions are 15,000 answers and 6 GB: 13 minutes at 20 a second, and 63 where each
#: takes a second. Dagster ends a run after two hours (`max_runtime_seconds`), and half an hour is left for landing and
#: building.
EVENING = Limits(90 * 60, 100_000, 16_384 * MIB)
#: Years past of the history of all accounts, which the next evening goes on with: a million sessions are 250 MB, and as
#: much memory until they are landed.
HISTORY = Limits(10 * 60, 10_000, 256 * MIB)


@dataclass(frozen=True)
class Budgets:
    """The limits of a client: per listing, per account, for all that it reads, and for history of years past in it."""

    listing: Limits = LISTING
    account: Limits = ACCOUNT
    evening: Limits = EVENING
    history: Limits = HISTORY

    def begin(self) -> ClientBudget:
        """The budgets of a client that begins to read now."""
        return ClientBudget(self)


SHIPPED = Budgets()
#: For what was read before, within its bounds then: an archive takes as long as it takes.
UNBOUNDED = Budgets(Limits(), Limits(), Limits(), Limits())


class Budget:
    """What was used of some limits, from now on, and the larger budget that it counts in. Threads may share it."""

    def __init__(self, what: str = "this", limits: Limits = Limits(), within: Budget | None = None) -> None:
        self._what = what
        self._limits = limits
        self._within = within
        self._began = time.monotonic()
        self._answers = 0
        self._size = 0
        self._counting = threading.Lock()

    def take(self, size: int) -> None:
        """Count an answer of so many bytes, here and in what this is a part of."""
        with self._counting:
            self._answers += 1
            self._size += size
        if self._within is not None:
            self._within.take(size)

    def check(self) -> None:
        """Raises GaveUp, with a sentence that says what ran out and what to do, where nothing more may be asked."""
        spent = self._spent()
        if spent is not None:
            came = f"{self._answers:,} answers of {self._size / MIB:,.1f} MiB came in {self._seconds / 60:,.1f} minutes"
            raise GaveUp(f"{self._what} may take {spent}, and {came}, so it was not read on; {_TODO}", reply=None)
        if self._within is not None:
            self._within.check()

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _spent(self) -> str | None:
        if self._seconds >= self._limits.seconds:
            return f"{self._limits.seconds / 60:g} minutes"
        if self._answers >= self._limits.answers:
            return f"{self._limits.answers:,} answers"
        return f"{self._limits.size / MIB:,g} MiB" if self._size >= self._limits.size else None


def is_shared(error: str) -> bool:
    """Whether a read was given up, in these words, for want of what all accounts share: no account's own fault."""
    return any(f"{what} may take " in error for what in (_EVENING, _HISTORY))


_EVENING, _HISTORY = "an evening's reading", "history of years past"
_TODO = "run it again, and if it stays so, ask the broker why its answers are so slow or so many"


@dataclass
class ClientBudget:
    """The budgets of one client while it reads: one for each account, which begins with its first listing."""

    budgets: Budgets
    _accounts: dict[str, Budget] = field(default_factory=dict)
    _beginning: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._all = Budget(_EVENING, self.budgets.evening)
        self._history = Budget(_HISTORY, self.budgets.history, self._all)

    def of(self, account_id: str) -> Budget:
        """The budget of a listing that begins now, of an account where it has one."""
        return Budget("one listing", self.budgets.listing, self._account(account_id) if account_id else self._all)

    def of_history(self) -> Budget:
        """The budget of a listing of history of years past that begins now."""
        return Budget("one listing", self.budgets.listing, self._history)

    def _account(self, account_id: str) -> Budget:
        with self._beginning:
            if account_id not in self._accounts:
                self._accounts[account_id] = Budget(f"account {account_id}", self.budgets.account, self._all)
            return self._accounts[account_id]
