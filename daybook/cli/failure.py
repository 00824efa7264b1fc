"""Unexpected errors: one sentence for the person, the traceback in a file, and no key in either."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from pipelines.broker.redaction import Redaction
from pipelines.desk_keys import variables_named
from pipelines.errors import ConfigurationError
from pipelines.settings import Settings


def unexpected(error: Exception) -> str:
    """The sentence about an error that is a defect of ours. Its traceback goes to DAYBOOK_HOME/logs."""
    settings = _settings()
    # from the environment: where another setting can't be used, there are no settings
    names = {"CLEAR_STREET_API_KEY", "CLEAR_STREET_TRADING_API_KEY", *variables_named(os.environ.get("DAYBOOK_KEYS"))}
    keys = [os.environ.get(name) for name in sorted(names)]
    details = Redaction(keys).text("".join(traceback.format_exception(error)))
    what = f"this should not have happened ({type(error).__name__})"
    home = [settings.home / "logs"] if settings.home.is_dir() else []  # no home is made to hold an error
    for folder in (*home, Path(tempfile.gettempdir())):
        try:
            return f"{what}: the details are in {_write(folder, details)}."
        except OSError:
            continue
    return f"{what}, and the details could not be written anywhere."


def _settings() -> Settings:
    try:
        return Settings.from_env()
    except ConfigurationError:
        return Settings()


def _write(folder: Path, details: str) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"daybook-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.log"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"python {sys.version.split()[0]}\n{details}")
    return path
