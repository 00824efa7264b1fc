"""Addresses as settings have them: of a broker, a mail server, a database, a person. None is looked up, none is quoted:
it may hold a password."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qs, urlsplit

#: How the address of a place in a bucket begins.
S3 = "s3://"
_S3 = re.compile(r"s3://[a-z0-9][a-z0-9.-]+(/[\w.=-]+)*/?", re.ASCII)
#: Threads of this machine, or the masters of a standalone cluster.
_SPARK = re.compile(r"local(\[([1-9]\d*|\*)\])?|spark://[^\s,/:@]+:\d{1,5}(,[^\s,/:@]+:\d{1,5})*", re.ASCII)
_ENCRYPTED = {"require", "verify-ca", "verify-full"}  # by PostgreSQL's sslmode


def is_loopback_host(host: str) -> bool:
    """Whether a host is this machine by its spelling alone; nothing is resolved, so a name can't pretend."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def checked_base_url(url: str) -> str:
    """The broker's address as it is used: https, or http on loopback, without a slash or /v1 at its end.

    Raises ValueError with a sentence about CLEAR_STREET_BASE_URL that quotes no more of it than the host: it may hold a
    password.
    """
    parts = split_url(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("has a user name or password in it; put the key in CLEAR_STREET_API_KEY instead")
    if parts.query or parts.fragment:
        raise ValueError("has a ? or # in it; give the host alone, such as https://api.clearstreet.com")
    host = str(parts.hostname)
    if parts.scheme == "http" and not is_loopback_host(host):
        raise ValueError(f"would send the key to {host} unencrypted; use https:// (http:// is for loopback alone)")
    port = f":{parts.port}" if parts.port else ""
    path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{path}"


def mail_server_problem(url: str) -> str | None:
    """What is wrong with the address of a mail server, in words that quote nothing of it; None where nothing is."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("smtp", "smtps") and parts.hostname and parts.port != 0
    except ValueError:  # such as a / in the password: the port is not a number then
        usable = False
    if not usable or parts.path.strip("/") or parts.query or parts.fragment or not url.isprintable() or " " in url:
        return (
            "is not the address of a mail server; it looks like smtp://user:password@mail.example.com:587 (STARTTLS) "
            "or smtps://... (TLS), with / ? # @ in a password written as %2F %3F %23 %40"
        )
    if (parts.username is None) != (parts.password is None):
        return "has a user name without a password, or a password without a user name"
    return None


def database_problem(url: str, name: str = "dagster") -> str | None:
    """What is wrong with the address of a PostgreSQL database, in words that quote nothing of it; None where nothing
    is. `name` is what such a database may be called."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "postgresql" and parts.hostname and parts.port != 0 and parts.path.strip("/")
    except ValueError:
        usable = False
    if not usable or parts.fragment or not url.isprintable() or " " in url:
        return f"is not the address of a database; it looks like postgresql://daybook@127.0.0.1:5432/{name}"
    said = parse_qs(parts.query)
    if parts.password is not None or any(name.endswith("password") for name in said):  # sslpassword too
        return "has a password in it; put it into the file that PGPASSFILE names"
    if not is_loopback_host(str(parts.hostname)) and not set(said.get("sslmode", [])) & _ENCRYPTED:
        return "would be spoken to unencrypted; end it with ?sslmode=verify-full (or verify-ca, require)"
    return None


def queue_problem(url: str) -> str | None:
    """What is wrong with the address of a Redis server, in words that quote nothing of it; None where nothing is."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("redis", "rediss") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.fragment or parts.query or not url.isprintable() or " " in url:
        return "is not the address of a Redis server; it looks like redis://127.0.0.1:6379/0"
    if parts.password is not None:
        return "has a password in it; put it into DAYBOOK_CELERY_PASSWORD"
    if parts.scheme == "redis" and not is_loopback_host(str(parts.hostname)):
        return "would be spoken to unencrypted; use rediss:// (redis:// is for loopback alone)"
    return None


def lake_data_problem(data: str) -> str | None:
    """What is wrong with the place of a lake's files, in words that quote nothing of it; None where nothing is."""
    if data.startswith("/") and data.rstrip("/") and data.isprintable():
        return None
    if not _S3.fullmatch(data):
        return "is not a place for files; it looks like s3://bucket/prefix, or is a folder that begins with /"
    return None


def spark_problem(master: str) -> str | None:
    """What is wrong with the address of a Spark master; None where it can be used."""
    return None if _SPARK.fullmatch(master) else "is not a Spark master; write it like local[2] or spark://host:7077"


def is_mail_address(text: str) -> bool:
    """Whether a text is one e-mail address and nothing else."""
    name, _, host = text.rpartition("@")
    return bool(name and host) and text.isprintable() and not any(letter in text for letter in ' ,;<>"')


def split_url(url: str) -> SplitResult:
    """The parts of an http(s) URL with a host. Raises ValueError with the sentence, which never quotes the URL."""
    wrong = ValueError("is not the address of a host; it looks like https://api.clearstreet.com")
    if any(letter.isspace() or not letter.isprintable() for letter in url):
        raise wrong  # urlsplit would drop them without a word
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        raise wrong from None
    if not usable:
        raise wrong
    return parts
