"""Settings: what the environment may say, and one sentence for everything that it may not."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipelines.addresses import is_loopback_host
from pipelines.errors import ConfigurationError
from pipelines.settings import Settings

SECRET = "cs-live-0123456789abcdef"


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def refusal(**environ: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_env(environ)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_an_empty_environment_has_the_documented_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_env({})
    assert settings.base_url == "https://api.clearstreet.com"
    assert settings.home == tmp_path / ".daybook"
    assert settings.accounts == ()
    assert settings.realized == "auto"
    assert settings.api_key is None
    assert Settings.from_env({"DAYBOOK_HOME": "", "DAYBOOK_ACCOUNTS": " ", "CLEAR_STREET_API_KEY": ""}) == settings


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_ACCOUNTS", "19816, 19817")
    assert Settings.from_env().accounts == ("19816", "19817")


def test_every_problem_is_named_at_once() -> None:
    message = refusal(
        CLEAR_STREET_API_KEY="two words",
        CLEAR_STREET_BASE_URL="http://api.clearstreet.com",
        DAYBOOK_ACCOUNTS="19816,,A7,19816",
        DAYBOOK_REALIZED="sometimes",
        DAYBOOK_RISK_FREE="4.3",
    )
    for part in (
        "CLEAR_STREET_API_KEY has a space",
        "CLEAR_STREET_BASE_URL would send the key to api.clearstreet.com unencrypted",
        "DAYBOOK_ACCOUNTS has a blank item",
        "'A7', which is not an account id",
        "names 19816 more than once",
        "DAYBOOK_REALIZED must be 'auto', 'since_cost' or 'since_prior_close'",
        "DAYBOOK_RISK_FREE is not a yearly rate; it is a fraction between -1 and 1, such as 0.043 for 4.3 %",
    ):
        assert part in message
    assert "\n" not in message
    assert "two words" not in message


@pytest.mark.parametrize("rate", ["4.3 %", "nan", "inf", "-1", "1", "0,043", "0.04312345678", "four"])
def test_a_risk_free_rate_is_a_fraction_that_can_be_kept_exactly(rate: str) -> None:
    assert refusal(DAYBOOK_RISK_FREE=rate).startswith("DAYBOOK_RISK_FREE ")
    assert Settings.from_env({"DAYBOOK_RISK_FREE": "-0.0050"}).risk_free == Decimal("-0.005")


@pytest.mark.parametrize("accounts", [",", "19816,", "\uff11\uff19", "-1", "1.0", "19816 19817"])
def test_account_ids_are_digits_between_single_commas(accounts: str) -> None:
    assert "DAYBOOK_ACCOUNTS" in refusal(DAYBOOK_ACCOUNTS=accounts)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("https://API.ClearStreet.com/", "https://api.clearstreet.com"),
        ("https://api.clearstreet.com/v1", "https://api.clearstreet.com"),
        ("https://api.clearstreet.com/v1/", "https://api.clearstreet.com"),
        ("https://gateway.example/broker/v1/", "https://gateway.example/broker"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://127.8.9.10:1/v1", "http://127.8.9.10:1"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
    ],
)
def test_a_base_url_is_brought_to_one_spelling(said: str, meant: str) -> None:
    assert Settings.from_env({"CLEAR_STREET_BASE_URL": said}).base_url == meant


@pytest.mark.parametrize(
    "url",
    [
        "api.clearstreet.com",
        "ftp://api.clearstreet.com",
        "https://",
        "https://host:99999",
        "https://host:0",
        "https://[::1",
        "https://a\tb.example",
        "https://host/?key=1",
        "https://host/#top",
        "http://0.0.0.0",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://evil.example/127.0.0.1",
        f"https://me:{SECRET}@api.clearstreet.com",
        f"https://{SECRET}@api.clearstreet.com",
        f"https://api.clearstreet.com?token={SECRET}",
        f"http://localhost:{SECRET}@evil.example",
    ],
)
def test_a_base_url_that_is_unsafe_or_no_url_is_refused_without_quoting_a_secret(url: str) -> None:
    message = refusal(CLEAR_STREET_BASE_URL=url)
    assert message.startswith("CLEAR_STREET_BASE_URL ")
    assert SECRET not in message


def test_all_loopback_hosts_and_ports_are_one_broker() -> None:
    hosts = {
        Settings(base_url=url).broker_host
        for url in ("http://127.0.0.1:1", "http://127.0.0.2:2", "http://localhost:3", "https://[::1]:4")
    }
    assert hosts == {"loopback"}
    assert Settings(base_url="https://API.clearstreet.com:8443").broker_host == "api.clearstreet.com"
    assert not is_loopback_host("loopback.example")


def test_a_key_is_needed_unless_the_broker_is_on_loopback() -> None:
    with pytest.raises(ConfigurationError, match="CLEAR_STREET_API_KEY is not set"):
        Settings.from_env({}).reading_key()
    with pytest.raises(ConfigurationError, match="CLEAR_STREET_TRADING_API_KEY"):
        Settings.from_env({}).trading_key()
    loopback = Settings.from_env({"CLEAR_STREET_BASE_URL": "http://127.0.0.1:9"})
    assert loopback.reading_key() is None
    assert loopback.trading_key() is None


def test_the_trading_key_falls_back_to_the_reading_key_and_never_the_other_way() -> None:
    both = Settings.from_env({"CLEAR_STREET_API_KEY": f" {SECRET}\n", "CLEAR_STREET_TRADING_API_KEY": "trade"})
    assert (both.reading_key(), both.trading_key()) == (SECRET, "trade")
    assert Settings.from_env({"CLEAR_STREET_API_KEY": SECRET}).trading_key() == SECRET
    with pytest.raises(ConfigurationError, match="CLEAR_STREET_API_KEY is not set"):
        Settings.from_env({"CLEAR_STREET_TRADING_API_KEY": "trade"}).reading_key()


def test_a_key_shows_in_no_text_of_the_settings() -> None:
    settings = Settings.from_env({"CLEAR_STREET_API_KEY": SECRET, "CLEAR_STREET_TRADING_API_KEY": SECRET})
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert SECRET not in refusal(CLEAR_STREET_API_KEY=f"{SECRET}\n{SECRET}", DAYBOOK_REALIZED="?")


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().realized = "since_cost"  # type: ignore[misc]


def test_everything_lies_in_the_home_and_the_demo_has_one_of_its_own(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    demo = settings.demo()
    assert demo.home == tmp_path / "demo"
    for each in (settings, demo):
        paths = [each.warehouse, each.published, each.adjustments, each.archive, each.dlt]
        paths += [each.reports, each.backups, each.dagster, each.run_lock]
        assert len(set(paths)) == 9
        assert {path.parent for path in paths} == {each.home}
    assert settings.published.name == "daybook.duckdb"


def test_a_home_may_begin_with_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings.from_env({"DAYBOOK_HOME": "~/books"}).home == tmp_path / "books"
    assert "DAYBOOK_HOME" in refusal(DAYBOOK_HOME="~no-such-user/books")


def test_a_new_home_is_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "deep" / "books")
    settings.prepare_home()
    for folder in (settings.home.parent, settings.home, settings.archive, settings.dlt, settings.reports):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    settings.adjustments.touch()
    assert stat.S_IMODE(settings.adjustments.stat().st_mode) == 0o600
    assert sorted(path.name for path in settings.home.iterdir()) == [
        "adjustments.csv", "archive", "backups", "dagster", "dlt", "reports",
    ]  # fmt: skip
    settings.prepare_home()


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "archive").write_text("in the way")
    homes = [tmp_path / "file", tmp_path / "file" / "books", tmp_path / "half", Path("/proc/books"), Path("/nul\0")]
    for home in homes:
        with pytest.raises(ConfigurationError, match=r"DAYBOOK_HOME .* can't be written .*: point it at a folder"):
            Settings(home=home).prepare_home()
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize("said", ["yes", "ON", "1", "on off"])
def test_the_jobs_that_trade_are_on_or_off(said: str) -> None:
    with pytest.raises(ConfigurationError, match=r"DAYBOOK_TRADING_JOBS must be 'on' or 'off'"):
        Settings.from_env({"DAYBOOK_TRADING_JOBS": said})
    assert not Settings.from_env({"DAYBOOK_TRADING_JOBS": ""}).has_trading_jobs()
    assert not Settings.from_env({"DAYBOOK_TRADING_JOBS": "off"}).has_trading_jobs()


def test_the_jobs_that_trade_need_the_key_that_trades() -> None:
    on = {"DAYBOOK_TRADING_JOBS": "on", "CLEAR_STREET_API_KEY": "reads"}
    assert Settings.from_env(on | {"CLEAR_STREET_TRADING_API_KEY": "trades"}).has_trading_jobs()
    assert Settings.from_env(on | {"CLEAR_STREET_BASE_URL": "http://localhost:1"}).has_trading_jobs()
    with pytest.raises(ConfigurationError, match="CLEAR_STREET_TRADING_API_KEY is not set"):
        Settings.from_env(on).has_trading_jobs()
