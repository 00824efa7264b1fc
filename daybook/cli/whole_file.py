"""A file that a person asks for: whole or not at all, for this user alone, and never among the books."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pipelines.errors import ConfigurationError


@contextmanager
def whole_file(path: Path | None, home: Path) -> Iterator[IO[bytes] | None]:
    """A file to write, which gets its name when the block is done; None where no path is given.

    Raises ConfigurationError where it can't be written, is no file, or is in DAYBOOK_HOME.
    """
    if path is None:
        yield None
        return
    draft = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        _check(path, home)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(f"{path} can't be written ({reason}).") from error


def _check(path: Path, home: Path) -> None:
    if path.exists() and not path.is_file():
        raise ConfigurationError(f"{path} is not a file: name one with --output.")
    folder = path.parent.resolve(strict=True)
    if home.exists() and any(above.samefile(home) for above in (folder, *folder.parents)):
        raise ConfigurationError(f"{path} is in DAYBOOK_HOME, where the books are: name a file elsewhere.")
