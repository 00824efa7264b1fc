"""How DuckDB reaches the files of a lake: a folder as it is, a bucket with the AWS_* variables of every S3 client."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

import duckdb

from pipelines.archive.stores import authorities
from pipelines.errors import ConfigurationError
from pipelines.settings import Lake
from pipelines.warehouse.contents import literal

#: What DuckDB takes from the environment by itself, and shows to everybody who asks for its settings.
_SHOWN = ("s3_access_key_id", "s3_secret_access_key", "s3_session_token")


def open_store(con: duckdb.DuckDBPyConnection, lake: Lake, environ: Mapping[str, str] = os.environ) -> None:
    """Give a connection, whose extensions are loaded, the way to the lake's files. Raises ConfigurationError for an
    AWS_ENDPOINT_URL that is no address, or an AWS_CA_BUNDLE that is no file.

    Keys go into a secret, which no query can read, and out of the settings, which any query can.
    """
    for setting in _SHOWN:
        con.execute(f"RESET GLOBAL {setting}")
    if not lake.data.startswith("s3://"):
        return
    if (file := authorities(environ)) is not None:
        con.execute(f"SET GLOBAL ca_cert_file = {literal(file)}")
    options = _options(environ)
    names = ", ".join(f"{name} ${name}" for name in options)
    con.execute(f"CREATE OR REPLACE TEMPORARY SECRET store (TYPE s3, PROVIDER config, {names})", options)


def _options(environ: Mapping[str, str]) -> dict[str, str | bool]:
    said = {
        "key_id": environ.get("AWS_ACCESS_KEY_ID", ""),
        "secret": environ.get("AWS_SECRET_ACCESS_KEY", ""),
        "session_token": environ.get("AWS_SESSION_TOKEN", ""),
        "region": environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1",
    }
    found: dict[str, str | bool] = {name: value for name, value in said.items() if value}
    address = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    if address:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise ConfigurationError(
                "AWS_ENDPOINT_URL is not the address of an S3 server, such as https://s3.example.com."
            )
        # buckets of a server of one's own are in its paths, for its names are not the buckets'
        found |= {
            "endpoint": parts.netloc + parts.path.rstrip("/"),
            "use_ssl": parts.scheme == "https",
            "url_style": "path",
        }
    return found
