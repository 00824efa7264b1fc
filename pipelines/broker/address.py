"""Where the broker is: which base URLs and keys may be used at all, decided before anything is sent."""

from __future__ import annotations

from urllib.parse import urlsplit

from pipelines.errors import ConfigurationError
from pipelines.settings import is_loopback_host


def checked_base_url(base_url: str) -> tuple[str, str, bool]:
    """The URL without a trailing slash, its host and port, and whether that is this machine.

    Raises ConfigurationError for anything but https, or http on loopback. The text of a refused URL isn't repeated
    beyond its host: it may hold a password.
    """
    try:
        parts = urlsplit(base_url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigurationError(
            "CLEAR_STREET_BASE_URL is not a URL; it looks like https://api.clearstreet.com"
        ) from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigurationError("CLEAR_STREET_BASE_URL is not a URL; it looks like https://api.clearstreet.com")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError(f"CLEAR_STREET_BASE_URL ({host}) must be a plain address, without user, query or #")
    local = is_loopback_host(host)
    if parts.scheme == "http" and not local:
        raise ConfigurationError(
            f"CLEAR_STREET_BASE_URL ({host}) must start with https://: the key goes with every request"
        )
    return base_url.strip().rstrip("/"), f"{host}:{port}" if port else host, local


def checked_key(api_key: str | None) -> str | None:
    """The key without blanks around it. Raises ConfigurationError, never with the key, if no header can carry it."""
    key = (api_key or "").strip()
    if not key:
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(
            "CLEAR_STREET_API_KEY has a blank, a line end or a special character in it; copy it again"
        )
    return key
