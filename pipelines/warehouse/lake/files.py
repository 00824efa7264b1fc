"""The place of a lake's files, as a file system: a bucket or a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.archive import stores
from pipelines.archive.stores import advice_of, is_distrust, reason_of
from pipelines.errors import ConfigurationError, StoreAway
from pipelines.settings import Lake

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_PROBE = ".daybook-was-here"


def file_system(lake: Lake) -> tuple[FileSystem, str]:
    """A file system, and the place in it. A bucket is opened with the AWS_* variables, AWS_ENDPOINT_URL among them."""
    return stores.file_system(lake.data)


def check_store(lake: Lake) -> None:
    """Whether a new lake may put its files there. Raises ConfigurationError where they can't be written, or another
    lake's are there already; StoreAway where the store's certificate can't be trusted."""
    from pyarrow.fs import FileSelector

    try:
        files, place = file_system(lake)
        if not lake.data.startswith("s3://"):
            Path(place).mkdir(mode=0o700, parents=True, exist_ok=True)
        with files.open_output_stream(f"{place}/{_PROBE}") as probe:
            probe.write(f"{os.getpid()}".encode())
        files.delete_file(f"{place}/{_PROBE}")
        found = files.get_file_info(FileSelector(f"{place}/tables", allow_not_found=True))
    except OSError as error:
        if is_distrust(str(error)):
            why = f"({reason_of(error)}): {advice_of(str(error))}"
            raise StoreAway(f"DAYBOOK_LAKE_DATA ({lake.data}) can't be trusted {why}.") from error
        raise ConfigurationError(
            f"DAYBOOK_LAKE_DATA ({lake.data}) can't be written ({reason_of(error)}): name a bucket or a folder that "
            "daybook may write, and its keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from error
    if found:
        raise ConfigurationError(
            f"DAYBOOK_LAKE_DATA ({lake.data}) has the files of another lake already: name another place for this one."
        )
