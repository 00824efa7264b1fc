"""The token that opens Dagster's UI: a file of the home, and the cookie that stands for it in a browser."""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from pathlib import Path

from pipelines.archive.files import write_whole
from pipelines.errors import ConfigurationError

#: How long a browser stays logged in.
LIFETIME = 7 * 24 * 3600
_LETTERS = 43  # 256 bits, as secrets.token_urlsafe(32) writes them


def token_of(path: Path) -> str:
    """The token in a file, which is made where there is none, readable by its owner alone.

    Raises ConfigurationError where it can't be trusted: another user may read or has made it, or it is cut short.
    """
    try:
        if not os.path.lexists(path):
            # never over a token that another start made meanwhile: its own link has been printed
            write_whole(path, secrets.token_urlsafe(32).encode(), durable=False, replace=False)
        return _read(path)
    except OSError as error:
        raise ConfigurationError(
            f"The token of Dagster's UI, {path}, can't be read or made ({error.strerror}): remove what is there."
        ) from error


def _read(path: Path) -> str:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        about = os.fstat(handle)
        said = os.read(handle, 1000)
    finally:
        os.close(handle)
    if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) & 0o077:
        raise ConfigurationError(
            f"The token of Dagster's UI, {path}, may have been read by another user of this machine: remove the file, "
            "and the next start makes a new token."
        )
    token = said.decode("ascii", "replace").strip()
    if len(token) < _LETTERS or not all(letter.isalnum() or letter in "-_" for letter in token) or not token.isascii():
        raise ConfigurationError(
            f"{path} holds no token of Dagster's UI: remove the file, and the next start makes a new token."
        )
    return token


def is_token(said: str, token: str) -> bool:
    """Whether a token is the right one, in a time that tells nothing about it."""
    return hmac.compare_digest(said.encode(errors="replace"), token.encode())


def cookie_for(token: str, now: float, user: str = "") -> str:
    """What a browser keeps instead of the token: until when it is good, signed with the token for one user."""
    until = str(int(now) + LIFETIME)
    return f"{until}.{_signature(token, until, user)}"


def is_cookie(said: str, token: str, now: float, user: str = "") -> bool:
    """Whether a cookie was made with this token for this user and is still good."""
    until, _, signature = said.partition(".")
    signed = hmac.compare_digest(signature.encode(errors="replace"), _signature(token, until, user).encode())
    return signed and int(until) > now


def _signature(token: str, until: str, user: str) -> str:
    signed = f"daybook's ui until {until} for user {user}"
    return hmac.new(token.encode(), signed.encode(errors="replace"), "sha256").hexdigest()
