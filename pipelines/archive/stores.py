"""A place of files, a bucket or a folder, as pyarrow's file system: its client is here already, and takes its keys from
the AWS_* environment alone."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from pipelines.addresses import S3
from pipelines.errors import first_line

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

CONNECT_TIMEOUT, REQUEST_TIMEOUT = 5, 20  # seconds; pyarrow tries three times
_REASON = re.compile(r"AWS Error \w+ during \w+ operation: (?:curlCode: \d+, )?(?P<reason>[^;]+)")


def file_system(place: str) -> tuple[FileSystem, str]:
    """The file system of `s3://bucket/prefix` or of a folder, and the path of that place in it. Raises OSError."""
    from pyarrow.fs import LocalFileSystem, S3FileSystem

    if not place.startswith(S3):
        return LocalFileSystem(), place
    store = S3FileSystem(
        # the one setting of every S3 client that this one does not read by itself
        endpoint_override=os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
        connect_timeout=CONNECT_TIMEOUT,
        request_timeout=REQUEST_TIMEOUT,
    )
    return store, place.removeprefix(S3).rstrip("/")


def reason_of(error: OSError) -> str:
    """What a store says, without where in its client it was said."""
    said = _REASON.search(str(error))
    return (said["reason"] if said else error.strerror or first_line(error)).strip().rstrip(".")
