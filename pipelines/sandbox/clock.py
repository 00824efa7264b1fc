"""The sandbox's clock: it stands where it was set, so that a day can be replayed at any speed."""

from __future__ import annotations

from datetime import UTC, datetime


class SettableClock:
    """An instant that only `set` moves. Safe to set from another thread: it is one assignment."""

    def __init__(self, now: datetime) -> None:
        self.set(now)

    @property
    def now(self) -> datetime:
        """The broker's time, UTC."""
        return self._now

    def set(self, instant: datetime) -> None:
        """Moves the clock, forwards or back. ValueError for an instant without a zone."""
        if instant.tzinfo is None:
            raise ValueError(f"the clock needs an instant with a zone, such as 2005-02-01T21:20:00Z, not {instant}")
        self._now = instant.astimezone(UTC)
