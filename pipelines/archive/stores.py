"""A place of files, a bucket or a folder, as pyarrow's file system: its client is here already, and takes its keys from
the AWS_* environment alone. And what such a place says when it refuses, in words for people."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.addresses import S3
from pipelines.errors import ConfigurationError, first_line

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

CONNECT_TIMEOUT, REQUEST_TIMEOUT = 5, 20  # seconds; pyarrow tries three times
_REASON = re.compile(r"AWS Error \w+ during \w+ operation: (?:curlCode: \d+, )?(?P<reason>[^;]+)")
_CERTIFICATE = re.compile(r"OpenSSL verify result: (?P<reason>[^(;]+)")
_DISTRUST = re.compile(r"SSL (?:peer |CA )?cert")
_MISSING = re.compile(r"NoSuchBucket|NO_SUCH_BUCKET|bucket does not exist")
_REFUSED = re.compile(r"Access ?Denied|ACCESS_DENIED|Forbidden|\b403\b|InvalidAccessKeyId|SignatureDoesNotMatch")


def file_system(place: str) -> tuple[FileSystem, str]:
    """The file system of `s3://bucket/prefix` or of a folder, and the path of that place in it. Raises OSError, and
    ConfigurationError as `authorities` does."""
    from pyarrow.fs import LocalFileSystem, S3FileSystem

    if not place.startswith(S3):
        return LocalFileSystem(), place
    store = S3FileSystem(
        # the settings of every S3 client that this one does not read by itself
        endpoint_override=os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
        tls_ca_file_path=authorities(),
        connect_timeout=CONNECT_TIMEOUT,
        request_timeout=REQUEST_TIMEOUT,
    )
    return store, place.removeprefix(S3).rstrip("/")


def authorities(environ: Mapping[str, str] = os.environ) -> str | None:
    """The file with the certificates of those who may sign a store's: AWS_CA_BUNDLE, where it is set. Raises
    ConfigurationError where it names no file."""
    path = environ.get("AWS_CA_BUNDLE") or None
    if path is not None and not Path(path).is_file():
        raise ConfigurationError(f"AWS_CA_BUNDLE ({path}) is no file: name one with certificates, or leave it out.")
    return path


def is_distrust(said: str) -> bool:
    """Whether a store was not spoken to because its certificate is not one to be trusted."""
    return _DISTRUST.search(said) is not None


def advice_of(said: str) -> str:
    """What to do about what a store or its client says, to end a sentence with."""
    if is_distrust(said):
        return "renew the certificate of its server, or name the file of whoever signed it in AWS_CA_BUNDLE"
    if _REFUSED.search(said):
        return "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or have that key let in"
    if _MISSING.search(said):
        return "make that bucket, or correct its name"
    return "look at its server and the AWS_* variables"


def reason_of(error: OSError) -> str:
    """What a store says, without where in its client it was said."""
    said = _CERTIFICATE.search(str(error)) or _REASON.search(str(error))
    return (said["reason"] if said else error.strerror or first_line(error)).strip().rstrip(".")
