"""Where alerts go, as the environment says it: every problem named, no secret repeated."""

from __future__ import annotations

import pytest

from pipelines.errors import ConfigurationError
from pipelines.settings import Settings

SECRET = "T0000-B0000-hunter2"


def refusal(**environ: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_env(environ)
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_nothing_is_set_up_by_itself() -> None:
    settings = Settings.from_env({})
    assert (settings.alert_webhook, settings.alert_smtp, settings.alert_to, settings.ping_url) == (None, None, (), None)


def test_what_is_set_up_is_kept_and_secrets_are_not_shown() -> None:
    settings = Settings.from_env(
        {
            "DAYBOOK_ALERT_WEBHOOK": f"https://hooks.example.com/{SECRET}",
            "DAYBOOK_ALERT_SMTP": f"smtp://bot:{SECRET}@mail.example.com:2525",
            "DAYBOOK_ALERT_TO": "ops@example.com, risk@example.com",
            "DAYBOOK_ALERT_FROM": "books@example.com",
            "DAYBOOK_PING_URL": f"https://ping.example.com/{SECRET}",
            "DAYBOOK_DAGSTER_URL": "https://dagster.example.com/books/",
        }
    )
    assert settings.alert_to == ("ops@example.com", "risk@example.com")
    assert settings.dagster_url == "https://dagster.example.com/books"
    assert SECRET not in repr(settings)


def test_every_problem_is_named_at_once() -> None:
    message = refusal(
        DAYBOOK_ALERT_WEBHOOK=f"http://hooks.example.com/{SECRET}",
        DAYBOOK_ALERT_SMTP=f"mail.example.com:{SECRET}",
        DAYBOOK_ALERT_TO="ops",
        DAYBOOK_ALERT_FROM="a b@example.com",
        DAYBOOK_PING_URL=f"ftp://ping.example.com/{SECRET}",
        DAYBOOK_DAGSTER_URL="dagster",
    )
    for part in (
        "DAYBOOK_ALERT_WEBHOOK would be sent unencrypted",
        "DAYBOOK_ALERT_SMTP is not the address of a mail server",
        "DAYBOOK_ALERT_TO has 'ops', which is not an e-mail address",
        "DAYBOOK_ALERT_FROM is not an e-mail address",
        "DAYBOOK_PING_URL is not the address of a host",
        "DAYBOOK_DAGSTER_URL is not the address of a host",
    ):
        assert part in message


def test_a_mail_server_and_its_recipients_need_each_other() -> None:
    assert "DAYBOOK_ALERT_TO is not set" in refusal(DAYBOOK_ALERT_SMTP="smtp://mail.example.com")
    assert "DAYBOOK_ALERT_TO is set without DAYBOOK_ALERT_SMTP" in refusal(DAYBOOK_ALERT_TO="ops@example.com")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"smtp://bot:{SECRET}/x@mail.example.com", "is not the address of a mail server"),
        (f"smtp://bot:{SECRET}#1@mail.example.com", "is not the address of a mail server"),
        ("smtp://bot@mail.example.com", "has a user name without a password"),
        ("smtp://mail.example.com:99999", "is not the address of a mail server"),
        ("http://mail.example.com", "is not the address of a mail server"),
        ("smtp://mail.example.com/inbox", "is not the address of a mail server"),
        ("smtp://", "is not the address of a mail server"),
    ],
)
def test_a_mail_server_that_can_not_be_meant_is_refused(url: str, said: str) -> None:
    message = refusal(DAYBOOK_ALERT_SMTP=url, DAYBOOK_ALERT_TO="ops@example.com")
    assert f"DAYBOOK_ALERT_SMTP {said}" in message
    assert "DAYBOOK_ALERT_TO" not in message


def test_loopback_may_be_unencrypted() -> None:
    assert Settings.from_env({"DAYBOOK_ALERT_WEBHOOK": "http://127.0.0.1:9999/x"}).alert_webhook
