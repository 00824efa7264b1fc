"""The keys of several desks: a file says which variable of the environment has the key of which accounts.

    [desks.rates]
    key = "RATES_API_KEY"
    accounts = ["100001", "100002"]

    [accounts]
    100003 = "ARBITRAGE_API_KEY"

The file has names alone, and is still for its owner's eyes: it says whose books these are, and what to look for.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from pipelines.errors import ConfigurationError

_MOST_BYTES = 2**24
_EXAMPLE = 'it has tables such as [desks.rates] with key = "RATES_API_KEY" and accounts = ["100001"]'


@dataclass(frozen=True)
class DeskKey:
    """The key in one variable of the environment, and the accounts that are read with it."""

    variable: str
    key: SecretStr
    accounts: tuple[str, ...]


def read_desk_keys(path: Path, environ: Mapping[str, str]) -> tuple[DeskKey, ...]:
    """The keys that a file names, each once, in the order of the file. Raises ConfigurationError with one sentence for
    a file that others may read, for one that can't be understood, and for a variable that is not set."""
    accounts: dict[str, list[str]] = {}
    owner: dict[str, str] = {}
    for variable, account in _named(path):
        if owner.setdefault(account, variable) != variable:
            raise ConfigurationError(
                f"DAYBOOK_KEYS ({path}) gives account {account} two keys, of {owner[account]} and of {variable}: "
                "leave one."
            )
        accounts.setdefault(variable, []).append(account)
    if missing := [variable for variable in accounts if not environ.get(variable, "").strip()]:
        raise ConfigurationError(f"DAYBOOK_KEYS ({path}) names {', '.join(missing)}, which is not set.")
    keys = {variable: environ[variable].strip() for variable in accounts}
    if unusable := [variable for variable, key in keys.items() if not all("!" <= letter <= "~" for letter in key)]:
        raise ConfigurationError(
            f"{', '.join(unusable)} has a space, a line break or a letter that no key has; paste it again."
        )
    return tuple(DeskKey(name, SecretStr(keys[name]), tuple(dict.fromkeys(accounts[name]))) for name in accounts)


def variables_named(path: str | None) -> set[str]:
    """The variables that a file of keys names; none where it can't be read. What is said of it is said elsewhere."""
    try:
        return {variable for variable, _ in _named(Path(path))} if path else set()
    except ConfigurationError:
        return set()


def _named(path: Path) -> Iterator[tuple[str, str]]:
    """Each account of the file, with the variable that has its key."""
    said = _read(path)
    if unknown := said.keys() - {"desks", "accounts"}:
        raise _not_understood(path, f"it has {', '.join(sorted(unknown))}")
    desks, accounts = said.get("desks", {}), said.get("accounts", {})
    if not isinstance(desks, dict) or not isinstance(accounts, dict):
        raise _not_understood(path, "desks and accounts are tables")
    for desk, about in desks.items():
        if (
            not isinstance(about, dict)
            or about.keys() != {"key", "accounts"}
            or not isinstance(about["accounts"], list)
        ):
            raise _not_understood(path, f"desk {desk} has not just a key and a list of accounts")
        yield from ((_variable(path, about["key"]), _account(path, account)) for account in about["accounts"])
    yield from ((_variable(path, variable), _account(path, account)) for account, variable in accounts.items())


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise _not_understood(path, "it is no file")
            if about.st_mode & 0o077:
                raise ConfigurationError(
                    f"DAYBOOK_KEYS ({path}) may be read by others (mode {stat.S_IMODE(about.st_mode):04o}): "
                    f"`chmod 600 {path}`."
                )
            return tomllib.loads(file.read(_MOST_BYTES).decode())
    except OSError as error:
        raise ConfigurationError(f"DAYBOOK_KEYS ({path}) can't be read ({error.strerror}).") from error
    except ValueError as error:  # of the TOML, or of its letters
        raise _not_understood(path, " ".join(str(error).split())) from error


def _variable(path: Path, name: object) -> str:
    if not isinstance(name, str) or not name.isidentifier() or not name.isascii():
        raise _not_understood(path, "a key is the name of a variable of the environment, never the key itself")
    return name


def _account(path: Path, account: object) -> str:
    text = str(account)
    if not text.isascii() or not text.isdigit():
        raise _not_understood(path, f"{text!r} is not an account id (digits only)")
    return text


def _not_understood(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(f"DAYBOOK_KEYS ({path}) can't be understood ({why}): {_EXAMPLE}.")
