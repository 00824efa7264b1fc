"""A file that a person asks for: whole or not at all, for this user alone, and never among the books."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pipelines.archive.files import whole_file
from pipelines.errors import ConfigurationError


@contextmanager
def output_file(path: Path | None, home: Path) -> Iterator[IO[bytes] | None]:
    """A file to write, which gets its name when the block is done; None where no path is given.

    Raises ConfigurationError where it can't be written, is no file, or is in DAYBOOK_HOME.
    """
    if path is None:
        yield None
        return
    try:
        _check(path, home)
        with whole_file(path, durable=False) as file:
            yield file
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
