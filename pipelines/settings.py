"""The settings: every variable of the environment that daybook knows, typed and checked.

In: os.environ, read by `Settings.from_env`. Out: a frozen `Settings`, which is handed on. Other modules take no setting
from the environment; daybook/cli/failure.py reads the keys once more, to keep them out of what it writes, and a lake's
store is opened with the AWS_* variables of every S3 client, its catalog with the PG* variables of libpq. An empty
variable counts as not set. All that can't be used is reported in one error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator

from pipelines.addresses import (
    checked_base_url,
    database_problem,
    is_loopback_host,
    is_mail_address,
    lake_data_problem,
    mail_server_problem,
    queue_problem,
    spark_problem,
    split_url,
)
from pipelines.desk_keys import DeskKey, read_desk_keys, variables_named
from pipelines.errors import ConfigurationError
from pipelines.home import Home

Realized = Literal["auto", "since_cost", "since_prior_close"]

VARIABLES = {
    "CLEAR_STREET_API_KEY": "api_key",
    "CLEAR_STREET_TRADING_API_KEY": "trading_api_key",
    "CLEAR_STREET_BASE_URL": "base_url",
    "DAYBOOK_HOME": "home",
    "DAYBOOK_ACCOUNTS": "accounts",
    "DAYBOOK_REALIZED": "realized",
    "DAYBOOK_RISK_FREE": "risk_free",
    "DAYBOOK_ALERT_WEBHOOK": "alert_webhook",
    "DAYBOOK_ALERT_SMTP": "alert_smtp",
    "DAYBOOK_ALERT_TO": "alert_to",
    "DAYBOOK_ALERT_FROM": "alert_from",
    "DAYBOOK_REPORT_TO": "report_to",
    "DAYBOOK_PING_URL": "ping_url",
    "DAYBOOK_DAGSTER_URL": "dagster_url",
    "DAYBOOK_PUBLISH_GROUP": "publish_group",
    "DAYBOOK_DAGSTER_STORAGE": "dagster_storage",
    "DAYBOOK_TRADING_JOBS": "trading_jobs",
    "DAYBOOK_SCHEDULES": "schedules",
    "DAYBOOK_LAKE": "lake",
    "DAYBOOK_LAKE_DATA": "lake_data",
    "DAYBOOK_SPARK": "spark",
    "DAYBOOK_REQUESTS_PER_SECOND": "requests_per_second",
    "DAYBOOK_KEYS": "keys_file",
    "DAYBOOK_CELERY": "celery",
    "DAYBOOK_CELERY_PASSWORD": "celery_password",
    "DAYBOOK_PARTS_DEADLINE": "parts_deadline",
}


#: The places that the warehouse keeps of a rate.
RATE_PLACES = 10

#: What a process that only reads the books has no need of.
SECRETS = (
    "CLEAR_STREET_API_KEY",
    "CLEAR_STREET_TRADING_API_KEY",
    "DAYBOOK_ALERT_WEBHOOK",
    "DAYBOOK_ALERT_SMTP",
    "DAYBOOK_PING_URL",
    "DAYBOOK_CELERY_PASSWORD",
)


@dataclass(frozen=True)
class Lake:
    """A lake: the address of its catalog, a PostgreSQL database, without a password; and the folder or bucket of its
    files. It is warehouse and published books in one: what is committed is published."""

    catalog: str
    data: str

    @property
    def tables(self) -> str:
        """Where the files of its tables are, with a slash at the end."""
        return f"{self.data}/tables/"

    def __str__(self) -> str:
        return f"the lake {self.catalog.partition('?')[0]}"


#: Where readers find the books: the published copy, or a lake.
Books: TypeAlias = Path | Lake


class Settings(Home):
    """One environment's settings. `accounts` is empty where all that the key sees are meant."""

    api_key: SecretStr | None = None
    trading_api_key: SecretStr | None = None
    base_url: str = "https://api.clearstreet.com"
    accounts: tuple[str, ...] = ()
    realized: Realized = "auto"
    risk_free: Decimal = Decimal(0)
    alert_webhook: SecretStr | None = None  # whoever knows the URL can write there
    alert_smtp: SecretStr | None = None  # may hold a password
    alert_from: str | None = None
    report_to: tuple[str, ...] = ()  # before alert_to, which asks for it
    alert_to: tuple[str, ...] = ()
    ping_url: SecretStr | None = None
    dagster_url: str | None = None
    dagster_storage: str | None = None
    trading_jobs: Literal["on", "off"] = "off"
    schedules: Literal["on", "off"] = "on"
    lake: str | None = None
    lake_data: str | None = None  # after lake, which it belongs to
    spark: str = "local[2]"
    requests_per_second: float | None = Field(None, gt=0, le=10_000)
    keys_file: Path | None = None
    desk_keys: tuple[DeskKey, ...] = ()  # what that file names, with the keys of the environment
    celery: str | None = None
    celery_password: SecretStr | None = None
    parts_deadline: float = Field(60, gt=0, le=24 * 60)  # minutes

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """The settings of an environment. Raises ConfigurationError, which names every problem and never a key."""
        said = {field: environ.get(variable, "").strip() for variable, field in VARIABLES.items()}
        try:
            settings = cls.model_validate({field: value for field, value in said.items() if value})
        except ValidationError as error:
            raise ConfigurationError(_sentences(error)) from None
        if settings.keys_file is None:
            return settings
        return settings.model_copy(update={"desk_keys": read_desk_keys(settings.keys_file, environ)})

    @field_validator("api_key", "trading_api_key")
    @classmethod
    def _one_word(cls, key: SecretStr | None) -> SecretStr | None:
        # A key with a line break would be refused by the HTTP library, in an error that quotes it.
        if key and not all("!" <= letter <= "~" for letter in key.get_secret_value()):
            raise ValueError("has a space, a line break or a letter that no key has; paste it again")
        return key

    @field_validator("base_url")
    @classmethod
    def _normal(cls, url: str) -> str:
        return checked_base_url(url)

    @field_validator("accounts", mode="before")
    @classmethod
    def _account_ids(cls, accounts: Any) -> tuple[str, ...]:
        ids = [each.strip() for each in (accounts.split(",") if isinstance(accounts, str) else accounts)]
        problems = ["has a blank item between its commas"] if "" in ids else []
        problems += [f"has {each!r}, which is not an account id (digits only)" for each in ids if not _is_id(each)]
        problems += [f"names {each} more than once" for each in dict.fromkeys(ids) if each and ids.count(each) > 1]
        if problems:
            raise ValueError(", ".join(problems))
        return tuple(ids)

    @field_validator("risk_free", mode="before")
    @classmethod
    def _yearly_rate(cls, rate: Any) -> Decimal:
        wrong = ValueError("is not a yearly rate; it is a fraction between -1 and 1, such as 0.043 for 4.3 %")
        try:
            fraction = Decimal(str(rate))
        except InvalidOperation:
            raise wrong from None
        if not fraction.is_finite() or abs(fraction) >= 1:
            raise wrong
        if fraction != round(fraction, RATE_PLACES):
            raise ValueError(f"has more than {RATE_PLACES} decimal places")
        return fraction

    @field_validator("alert_webhook", "ping_url")
    @classmethod
    def _private(cls, url: SecretStr | None) -> SecretStr | None:
        parts = split_url(url.get_secret_value()) if url else None
        if parts and parts.scheme == "http" and not is_loopback_host(str(parts.hostname)):
            raise ValueError("would be sent unencrypted; use https:// (http:// is for loopback alone)")
        return url

    @field_validator("alert_smtp")
    @classmethod
    def _mail_server(cls, url: SecretStr | None) -> SecretStr | None:
        if url and (problem := mail_server_problem(url.get_secret_value())):
            raise ValueError(problem)
        return url

    @field_validator("alert_from")
    @classmethod
    def _sender(cls, address: str | None) -> str | None:
        if address and not is_mail_address(address):
            raise ValueError("is not an e-mail address")
        return address

    @field_validator("alert_to", "report_to", mode="before")
    @classmethod
    def _addresses(cls, addresses: Any) -> tuple[str, ...]:
        return tuple(each.strip() for each in (addresses.split(",") if isinstance(addresses, str) else addresses))

    @field_validator("alert_to", "report_to")
    @classmethod
    def _recipients(cls, addresses: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if wrong := [each for each in addresses if not is_mail_address(each)]:
            raise ValueError(f"has {', '.join(map(repr, wrong))}, which is not an e-mail address")
        server = info.data.get("alert_smtp", addresses)  # one that can't be used has a sentence of its own
        if server and not addresses and info.field_name == "alert_to" and not info.data.get("report_to", addresses):
            raise ValueError("is not set, nor is DAYBOOK_REPORT_TO: DAYBOOK_ALERT_SMTP needs to know whom to write to")
        if addresses and not server:
            raise ValueError("is set without DAYBOOK_ALERT_SMTP: name the mail server, such as smtp://mail.example.com")
        return addresses

    @field_validator("dagster_storage")
    @classmethod
    def _database(cls, url: str | None) -> str | None:
        if url and (problem := database_problem(url)):
            raise ValueError(problem)
        return url

    @field_validator("spark")
    @classmethod
    def _spark_master(cls, master: str) -> str:
        if problem := spark_problem(master):
            raise ValueError(problem)
        return master

    @field_validator("lake")
    @classmethod
    def _catalog(cls, url: str | None) -> str | None:
        if url and (problem := database_problem(url, "daybook")):
            raise ValueError(problem)
        return url

    @field_validator("lake_data")
    @classmethod
    def _store(cls, data: str | None, info: ValidationInfo) -> str | None:
        lake = info.data.get("lake", data)  # one that can't be used has a sentence of its own
        if lake and not data:
            raise ValueError("is not set: DAYBOOK_LAKE needs to know where its files are (s3://bucket/prefix, /folder)")
        if data and not lake:
            raise ValueError(
                "is set without DAYBOOK_LAKE: name the catalog, such as postgresql://db.example.com/daybook"
            )
        if data and (problem := lake_data_problem(data)):
            raise ValueError(problem)
        return data.rstrip("/") if data else None

    @field_validator("celery")
    @classmethod
    def _queue(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url and (problem := queue_problem(url)):
            raise ValueError(problem)
        needed = {"lake": "DAYBOOK_LAKE", "dagster_storage": "DAYBOOK_DAGSTER_STORAGE"}
        if url and (missing := [name for field, name in needed.items() if info.data.get(field, url) is None]):
            raise ValueError(
                f"is set without {' and '.join(missing)}: workers on several hosts need what all can reach"
            )
        return url

    @field_validator("dagster_url")
    @classmethod
    def _without_slash(cls, url: str | None) -> str | None:
        return split_url(url).geturl().rstrip("/") if url else None

    @property
    def published_note(self) -> Path:
        """The file whose time says when the books were published last from here: the copy, or a note beside a lake."""
        return self.home / "lake.published" if self.has_lake else self.published

    @property
    def has_lake(self) -> bool:
        """Whether the books are in a lake: then the home has no warehouse and no published copy."""
        return self.lake is not None

    @property
    def books(self) -> Books:
        """Where readers find the books: `open_published` opens either."""
        return self.published if self.lake is None or self.lake_data is None else Lake(self.lake, self.lake_data)

    @property
    def is_loopback(self) -> bool:
        """Whether the broker is a stand-in on this machine."""
        return is_loopback_host(str(urlsplit(self.base_url).hostname))

    @property
    def broker_host(self) -> str:
        """Whose books these are: the host in lower case. All loopback hosts and ports are one, "loopback"."""
        return "loopback" if self.is_loopback else str(urlsplit(self.base_url).hostname).rstrip(".")

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that is set: none of them may come back from the broker, whichever was sent."""
        known = (self.api_key, self.trading_api_key, *(desk.key for desk in self.desk_keys))
        return tuple(key.get_secret_value() for key in known if key is not None)

    def reading_key(self) -> str | None:
        """The bearer token for reading: of what has no desk's own, where there are desks, else the first desk's. None
        only on loopback. Raises ConfigurationError where one is needed."""
        first = self.desk_keys[0].key if self.desk_keys else None
        return self._key(
            self.api_key or first, "CLEAR_STREET_API_KEY is not set: it needs the API key of the broker to read."
        )

    def trading_key(self) -> str | None:
        """The bearer token for the operations that trade: its own, else the reading one. Raises as `reading_key`."""
        return self._key(
            self.trading_api_key or self.api_key,
            "Neither CLEAR_STREET_TRADING_API_KEY nor CLEAR_STREET_API_KEY is set: trading needs one of them.",
        )

    def has_trading_jobs(self) -> bool:
        """Whether Dagster has the jobs that trade. The reading key never stands in for theirs.

        Raises ConfigurationError where they are asked for and the key that trades is not set; a stand-in broker on
        loopback needs none.
        """
        if self.trading_jobs == "on" and self.trading_api_key is None and not self.is_loopback:
            raise ConfigurationError(
                "DAYBOOK_TRADING_JOBS is on, and CLEAR_STREET_TRADING_API_KEY is not set: the jobs that trade need it, "
                "in the process that runs them."
            )
        return self.trading_jobs == "on"

    def demo(self) -> Self:
        """The same settings with the demo's own home, for this user alone, so that it never meets real books."""
        apart = {"home": self.home / "demo", "publish_group": None, "lake": None, "lake_data": None}
        return self.model_copy(update=apart)

    def _key(self, key: SecretStr | None, missing: str) -> str | None:
        if key is not None:
            return key.get_secret_value()
        if self.is_loopback:
            return None
        raise ConfigurationError(missing)


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment without keys, passwords and addresses that are as good as one."""
    secrets = {*SECRETS, *variables_named(environ.get("DAYBOOK_KEYS"))}
    return {name: value for name, value in environ.items() if name not in secrets}


def code_version() -> str:
    """Which daybook this is: the version of the installed package, which pyproject.toml states."""
    try:
        return version("daybook")
    except PackageNotFoundError:
        return "unknown"


def _is_id(text: str) -> bool:
    return text == "" or (text.isascii() and text.isdigit())  # a blank item has a sentence of its own


def _sentences(error: ValidationError) -> str:
    variables = {field: variable for variable, field in VARIABLES.items()}
    problems = []
    for each in error.errors(include_url=False, include_input=False):
        what = each["msg"].removeprefix("Value error, ").replace("Input should", "must")
        problems.append(f"{variables[str(each['loc'][0])]} {what}")
    return "; ".join(problems) + "."
