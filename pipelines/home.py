"""The home: the folder in which everything lies that daybook keeps on this machine, and what is where in it."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryFile

from pydantic import BaseModel, ConfigDict, field_validator

from pipelines.errors import ConfigurationError


class Home(BaseModel):
    """A home, whose path is absolute, and the group of this machine that may read what is published there."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    home: Path = Path(".daybook")
    publish_group: str | None = None

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        try:
            return home.expanduser().absolute()
        except RuntimeError:
            raise ValueError("begins with the home folder of a user that isn't known here") from None

    @field_validator("publish_group")
    @classmethod
    def _known_group(cls, group: str | None) -> str | None:
        if group is not None and _group_id(group) is None:
            raise ValueError(f"names {group!r}, which is no group of this machine")
        return group

    @property
    def warehouse(self) -> Path:
        """The DuckDB file that one process at a time writes."""
        return self.home / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        """The copy that people, BI tools and notebooks open."""
        return self.home / "daybook.duckdb"

    @property
    def adjustments(self) -> Path:
        """What no API says and people do: transfers, id changes, cash."""
        return self.home / "adjustments.csv"

    @property
    def benchmarks(self) -> Path:
        """Closes of benchmarks that people supply, for performance reports."""
        return self.home / "benchmarks.csv"

    @property
    def archive(self) -> Path:
        """Every body as the broker sent it."""
        return self.home / "archive"

    @property
    def dlt(self) -> Path:
        """dlt's working folder, which holds packages that are not loaded yet."""
        return self.home / "dlt"

    @property
    def reports(self) -> Path:
        """The end-of-day reports."""
        return self.home / "reports"

    @property
    def backups(self) -> Path:
        """Verified copies of the warehouse."""
        return self.home / "backups"

    @property
    def working(self) -> Path:
        """Where a build puts what it needs until it ends."""
        return self.home / "working"

    @property
    def dagster(self) -> Path:
        """Dagster's instance: runs, schedules, logs."""
        return self.home / "dagster"

    @property
    def ui_token(self) -> Path:
        """What opens Dagster's UI, readable by its owner alone."""
        return self.home / "ui-token"

    @property
    def run_lock(self) -> Path:
        """The file whose OS lock a run holds from its first page to the published copy."""
        return self.home / "run.lock"

    def prepare_home(self) -> None:
        """Creates the home and its folders, for this user alone, and tries to write in each. A group that may read what
        is published may pass the home and list the reports.

        Sets the process's umask to 077: dlt, DuckDB and Dagster write there later and must not widen it. A folder that
        was there before keeps its mode. Raises ConfigurationError where something can't be written.
        """
        os.umask(0o077)
        try:
            for folder in (self.home, self.archive, self.dlt, self.reports, self.backups, self.dagster):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                with TemporaryFile(dir=folder):
                    pass  # permissions alone don't tell: a disk may be full or read-only
            self._let_group_in()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ConfigurationError(
                f"DAYBOOK_HOME ({self.home}) can't be written ({reason}): point it at a folder that daybook may write."
            ) from error

    def _let_group_in(self) -> None:
        if self.publish_group is None:
            return
        try:
            for folder, mode in ((self.home, 0o710), (self.reports, 0o750)):
                if folder.group() != self.publish_group:
                    os.chown(folder, -1, _group_id(self.publish_group) or 0)
                folder.chmod(mode)
        except PermissionError as error:
            raise ConfigurationError(
                f"DAYBOOK_PUBLISH_GROUP names {self.publish_group}, and {error.filename} can't be given to it: "
                "have the user that runs daybook own the home and be a member of the group."
            ) from error


def refuse_file_as_home(home: Path) -> None:
    """Raises ConfigurationError where DAYBOOK_HOME names something that is there and is no folder."""
    if home.exists() and not home.is_dir():
        raise ConfigurationError(f"DAYBOOK_HOME ({home}) is not a folder: set it to the folder of your books.")


def _group_id(name: str) -> int | None:
    try:
        import grp  # not on every system

        return grp.getgrnam(name).gr_gid
    except (ImportError, KeyError, ValueError):
        return None
