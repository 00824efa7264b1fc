"""Alerts on their way to people, to a real mail server and a real web server: once, or again until they are heard."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from pipelines.alerts import delivery
from pipelines.alerts.alert import Alert, ping, send
from pipelines.settings import Settings
from tests.support.raw_server import RawServer, dripping
from tests.support.web_server import WebServer

LINK = "http://127.0.0.1:3000/runs/4711"
FRIDAY = date(2025, 10, 31)
AT = datetime(2025, 10, 31, 20, 31, tzinfo=UTC)


def alert(sentence: str = "1 of 2 accounts are whole.", kind: str = "INCOMPLETE", day: date = FRIDAY) -> Alert:
    return Alert(sentence, "Run `daybook eod` again.", day, "4711", AT, kind, LINK)


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        server.url += "/hook/secret-token"
        yield server


def texts(web: WebServer) -> list[str]:
    """What the webhook was told."""
    return [json.loads(body)["text"] for command, _, body in web.requests if command == "POST"]


@dataclass
class Mailbox:
    """What a mail server took."""

    port: int = 0
    envelopes: list[Any] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    @property
    def mails(self) -> list[EmailMessage]:
        parser = BytesParser(policy=default)
        return [parser.parsebytes(each.content) for each in self.envelopes]

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"pass/word")


class AnyPort(Controller):
    """A controller that finds out which port it was given."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # asyncio's have them
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def mail_server(**how: Any) -> Iterator[Mailbox]:
    box = Mailbox()
    controller = AnyPort(box, hostname="127.0.0.1", port=0, authenticator=box.authenticate, **how)
    controller.start()
    try:
        box.port = controller.port
        yield box
    finally:
        controller.stop()


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A certificate for loopback, of an authority that this process trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


def settings(home: Path, **more: str) -> Settings:
    return Settings.from_env({"DAYBOOK_HOME": str(home), **more})


def log(home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (home / "alerts.log").read_text().splitlines()]


def test_a_webhook_gets_the_day_the_sentence_what_to_do_and_the_link(tmp_path: Path, web: WebServer) -> None:
    send(settings(tmp_path, DAYBOOK_ALERT_WEBHOOK=web.url), alert("A <script> & co."))
    assert texts(web) == [
        f"*daybook* 2025-10-31: A &lt;script&gt; &amp; co.\nRun `daybook eod` again.\n<{LINK}|The run>"
    ]
    assert web.requests[0][:2] == ("POST", "/hook/secret-token")


def test_an_incident_is_heard_of_once_and_another_day_or_kind_is_another(tmp_path: Path, web: WebServer) -> None:
    mine = settings(tmp_path, DAYBOOK_ALERT_WEBHOOK=web.url)
    for each in (alert(), alert("again"), alert(kind="RUN_FAILED"), alert(day=date(2025, 11, 3)), alert()):
        send(mine, each)
    assert len(texts(web)) == 3
    assert len(log(tmp_path)) == 5  # but every alert is written down


def test_what_was_not_delivered_is_in_the_log_without_the_secret_and_goes_out_with_the_next_alert(
    tmp_path: Path, web: WebServer
) -> None:
    mine = settings(tmp_path, DAYBOOK_ALERT_WEBHOOK=web.url)
    web.status = 500
    send(mine, alert())
    send(mine, alert("2 are", day=date(2025, 11, 3)))
    assert [line["undelivered"] for line in log(tmp_path) if "undelivered" in line] == [
        "2025-10-31 INCOMPLETE by webhook: HTTPError (500)",
        "2025-10-31 INCOMPLETE and 1 more by webhook: HTTPError (500)",
    ]
    web.status = 200
    web.requests.clear()
    send(mine, alert(day=date(2025, 11, 4)))
    assert [text.split(":")[0] for text in texts(web)] == [
        "*daybook* 2025-10-31",
        "*daybook* 2025-11-03",
        "*daybook* 2025-11-04",
    ]
    for path in tmp_path.iterdir():
        assert "secret-token" not in path.read_text(), path


def test_a_redirect_is_no_delivery(tmp_path: Path, web: WebServer) -> None:
    web.status = 302
    send(settings(tmp_path, DAYBOOK_ALERT_WEBHOOK=web.url), alert())
    assert log(tmp_path)[-1]["undelivered"] == "2025-10-31 INCOMPLETE by webhook: HTTPError (302)"
    assert [path for _, path, _ in web.requests] == ["/hook/secret-token"]


def test_an_e_mail_has_the_sentence_as_its_subject_and_the_rest_inside(tmp_path: Path) -> None:
    with mail_server() as box:
        mine = settings(
            tmp_path,
            DAYBOOK_ALERT_SMTP=f"smtp://127.0.0.1:{box.port}",
            DAYBOOK_ALERT_TO="ops@example.com, risk@example.com",
        )
        send(mine, alert("Two\nlines of =HYPERLINK(…)"))
        send(mine, alert("the same incident"))
    (mail,) = box.mails
    assert mail["Subject"] == "daybook 2025-10-31: Two lines of =HYPERLINK(…)"
    assert (mail["From"], mail["To"]) == ("daybook <ops@example.com>", "ops@example.com, risk@example.com")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert [line for line in mail.get_content().splitlines() if line] == [
        "2025-10-31: Two lines of =HYPERLINK(…)",
        "Run `daybook eod` again.",
        LINK,
    ]
    assert box.envelopes[0].rcpt_tos == ["ops@example.com", "risk@example.com"]


def test_a_password_goes_over_starttls_alone(tmp_path: Path, tls: ssl.SSLContext) -> None:
    with mail_server(tls_context=tls, require_starttls=True, auth_required=True) as box:
        url = f"smtp://bot%40example.com:pass%2Fword@127.0.0.1:{box.port}"
        send(settings(tmp_path, DAYBOOK_ALERT_SMTP=url, DAYBOOK_ALERT_TO="ops@example.com"), alert())
    assert (box.logins, box.encrypted) == ([(b"bot@example.com", b"pass/word")], [True])
    assert box.mails[0]["From"] == "daybook <bot@example.com>"


def test_smtps_is_encrypted_from_the_first_byte(tmp_path: Path, tls: ssl.SSLContext) -> None:
    with mail_server(ssl_context=tls) as box:
        url = f"smtps://127.0.0.1:{box.port}"
        send(settings(tmp_path, DAYBOOK_ALERT_SMTP=url, DAYBOOK_ALERT_TO="ops@example.com"), alert())
    assert len(box.mails) == 1


def test_a_mail_server_whose_certificate_nobody_vouches_for_gets_nothing(
    tmp_path: Path, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "another.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "another.pem"))
    with mail_server(tls_context=tls) as box:
        url = f"smtp://bot:pass%2Fword@127.0.0.1:{box.port}"
        send(settings(tmp_path, DAYBOOK_ALERT_SMTP=url, DAYBOOK_ALERT_TO="ops@example.com"), alert())
    assert (box.envelopes, box.logins) == ([], [])
    assert "SSLCertVerificationError" in log(tmp_path)[-1]["undelivered"]


def test_one_way_that_fails_does_not_stop_the_other(tmp_path: Path, web: WebServer) -> None:
    mine = settings(
        tmp_path,
        DAYBOOK_ALERT_WEBHOOK=web.url,
        DAYBOOK_ALERT_SMTP="smtp://127.0.0.1:1",  # nobody listens there
        DAYBOOK_ALERT_TO="ops@example.com",
    )
    send(mine, alert())
    assert len(texts(web)) == 1
    assert log(tmp_path)[-1]["undelivered"] == "2025-10-31 INCOMPLETE by e-mail: ConnectionRefusedError"
    send(mine, alert(kind="RUN_FAILED"))
    assert len(texts(web)) == 2  # and what waits for one is not told again on the other


def test_a_spoilt_record_of_what_was_told_does_not_silence_anybody(tmp_path: Path, web: WebServer) -> None:
    (tmp_path / "incidents.json").write_text('{"2025-10-31 INCOMPLETE": {')
    send(settings(tmp_path, DAYBOOK_ALERT_WEBHOOK=web.url), alert())
    assert len(texts(web)) == 1
    assert (tmp_path / "incidents.json").stat().st_mode & 0o077 == 0


def test_what_is_told_before_a_way_was_set_up_does_not_come_back(tmp_path: Path, web: WebServer) -> None:
    send(settings(tmp_path), alert())
    send(settings(tmp_path, DAYBOOK_ALERT_WEBHOOK=web.url), alert(kind="RUN_FAILED"))
    assert len(texts(web)) == 1


def test_a_ping_is_one_get_and_one_that_is_not_heard_hurts_nobody(
    tmp_path: Path, web: WebServer, caplog: pytest.LogCaptureFixture
) -> None:
    ping(settings(tmp_path))
    assert web.requests == []
    mine = settings(tmp_path, DAYBOOK_PING_URL=web.url)
    ping(mine)
    assert web.requests == [("GET", "/hook/secret-token", b"")]
    web.status = 503
    ping(mine)
    assert caplog.messages == ["the ping of a complete evening was not heard (HTTPError)"]


DRIPS = {
    "webhook": {
        "head": dripping(b"HTTP/1.1 200 OK\r\nX: ", [b"x"]),
        "informational": dripping(b"", [b"HTTP/1.1 100 Continue\r\n\r\n"]),
    },
    "e-mail": {
        "greeting": dripping(b"", [b"220-hello\r\n"]),
        "letters": dripping(b"", [b"2"]),
    },
}


@pytest.mark.parametrize(("way", "what"), [(way, what) for way, drips in DRIPS.items() for what in drips])
def test_a_server_that_never_ends_its_answer_does_not_hold_up_an_evening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, what: str
) -> None:
    monkeypatch.setattr(delivery, "LONGEST", 0.5)
    with RawServer(DRIPS[way][what], at_once=way == "e-mail") as server:
        url = server.url.replace("http", "smtp") if way == "e-mail" else server.url
        names = {
            "webhook": {"DAYBOOK_ALERT_WEBHOOK": url},
            "e-mail": {"DAYBOOK_ALERT_SMTP": url, "DAYBOOK_ALERT_TO": "a@example.com"},
        }
        send(Settings.from_env({"DAYBOOK_HOME": str(tmp_path), **names[way]}), alert())
    (undelivered,) = [line for line in (tmp_path / "alerts.log").read_text().splitlines() if "undelivered" in line]
    assert f"by {way}: " in undelivered
    assert "TimeoutError" in undelivered
