"""Every error that a person may see: one sentence that says what to do, and the exit code it ends with."""

from __future__ import annotations

#: What commands end with, besides 0 for complete.
FAILED = 1
USAGE = 2  # or a question that was answered no
INCOMPLETE = 3

_CORRECT = "Correct that, then run `daybook eod`."  # however often it is run as it is, it ends the same way


class DaybookError(Exception):
    """An error with a sentence for people. `exit_code` is what a command ends with; `todo` is what an alert advises
    where an evening ends with it."""

    exit_code = FAILED
    todo = (
        "Run `daybook eod` again before 04:00 New York; after that, until the next close, it recovers what fills prove."
    )


class ConfigurationError(DaybookError):
    """Settings or arguments that can't be used; the message names every problem found."""

    exit_code = USAGE
    todo = _CORRECT


class LockedOut(DaybookError):
    """Another process holds the run lock or the warehouse; the message names its pid. Nothing was begun."""

    exit_code = USAGE


class WrongWarehouse(DaybookError):
    """The warehouse was filled from another broker host, or by a newer daybook."""

    exit_code = USAGE
    todo = _CORRECT


class BooksMissing(WrongWarehouse):
    """The home has traces of books that its warehouse doesn't hold: they are got back before anything is begun."""


class WarehouseReplaced(DaybookError):
    """The warehouse's path names another file than the one that this process opened."""


class DiskFull(DaybookError):
    """The disk of DAYBOOK_HOME has no room left. What was in the books is still there; the published copy stands."""


class StoreAway(DaybookError):
    """The lake's storage can't be reached, or refuses. What was read stays on this machine, and is sent first."""


class NotPublished(DaybookError):
    """Nothing has been published yet, so there is nothing to show."""


class BuildFailed(DaybookError):
    """A build that failed altogether: nothing was published, the former copy stands."""


class BrokerError(DaybookError):
    """The broker refused or could not be understood. `request_id` is the broker's own, where it sent one."""

    def __init__(self, message: str, *, request_id: str | None = None) -> None:
        super().__init__(f"{message} (request {request_id})" if request_id else message)
        self.request_id = request_id


class Unauthorized(BrokerError):
    """The broker answered 401: the key is wrong, expired or revoked. Never retried."""

    todo = "Set CLEAR_STREET_API_KEY to a key that the broker accepts, then run `daybook eod`."


class NoAccountList(BrokerError):
    """The list of accounts could not be read whole, so no account's day can be complete."""


def todo_after(error: str) -> str:
    """What to do after an error of ours, by the name of its class; for others what to do after any."""
    kind = globals().get(error)
    return (kind if isinstance(kind, type) and issubclass(kind, DaybookError) else DaybookError).todo


def with_full_stop(text: str) -> str:
    """The text as a sentence: with a full stop where it ends without one."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


#: What a lake's error begins with whatever the reason is.
_WHY_IS_BELOW = "Failed to commit DuckLake transaction."


def first_line(error: BaseException) -> str:
    """What a library's error says, without what it says below: the statement, the stack, its advice to programmers."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if lines[0].endswith(_WHY_IS_BELOW) and len(lines) > 1:
        return f"{lines[0].strip()} {lines[1].strip()}"
    return lines[0].strip()
