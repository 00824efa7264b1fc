"""How an alert reaches people: by webhook (JSON as Slack, Mattermost and others read it) and by e-mail.

With the standard library alone: httpx belongs to the client that holds the broker's key, and nothing else may come
near it; and an alert should depend on as little as possible of what may have failed.
"""

from __future__ import annotations

import json
import smtplib
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from functools import wraps
from typing import ParamSpec
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pipelines.addresses import is_loopback_host
from pipelines.settings import Settings

#: That a server may take for an answer, and that a delivery may take as a whole: an alert must not hold up an evening.
SECONDS, LONGEST = 10.0, 30.0
LARGEST = 10_000_000  # bytes of a mail as it is sent: what mail servers take unless somebody has set them otherwise
_SUBJECT = 150  # characters


@dataclass(frozen=True)
class Message:
    """What people are told. `incident` is the same for what is one thing to hear of; `day` is empty where none is."""

    incident: str
    sentence: str
    todo: str
    day: str
    link: str | None

    @property
    def headline(self) -> str:
        """The day and the sentence, in one line."""
        return " ".join(f"{self.day + ': ' if self.day else ''}{self.sentence}".split())


Route = Callable[[Message], None]
_P = ParamSpec("_P")


def _bounded(deliver: Callable[_P, None]) -> Callable[_P, None]:
    """A delivery that raises TimeoutError when it takes too long: the standard library's own limits are for one wait
    each, and a server that sends a byte every few seconds keeps within them for ever."""

    @wraps(deliver)
    def bounded(*args: _P.args, **kwargs: _P.kwargs) -> None:
        raised: list[Exception] = []

        def delivering() -> None:
            try:
                deliver(*args, **kwargs)
            except Exception as error:
                raised.append(error)

        thread = threading.Thread(target=delivering, daemon=True)
        thread.start()
        thread.join(LONGEST)
        if thread.is_alive():
            raise TimeoutError(f"it took longer than {LONGEST:g} s")
        if raised:
            raise raised.pop()  # out of the list: an error that its own frames hold would keep its socket open

    return bounded


def routes(settings: Settings) -> dict[str, Route]:
    """The ways that are set up, by name. Each raises OSError (or what smtplib makes of it) where it fails."""
    found: dict[str, Route] = {}
    if settings.alert_webhook:
        url = settings.alert_webhook.get_secret_value()
        found["webhook"] = lambda message: post(url, {"text": slack_text(message)})
    if settings.alert_smtp and settings.alert_to:
        server = settings.alert_smtp.get_secret_value()
        found["e-mail"] = lambda message: mail(server, email(message, settings))
    return found


def slack_text(message: Message) -> str:
    """The message in Slack's markup, in which only &, < and > are special."""
    lines = [f"*daybook* {_escaped(message.headline)}", _escaped(message.todo)]
    return "\n".join([*lines, f"<{message.link}|The run>"] if message.link else lines)


def email(message: Message, settings: Settings) -> EmailMessage:
    """The message as an e-mail of plain text. Mails of one incident are one thread."""
    mail_of = headed(settings, settings.alert_to, f"daybook {message.headline}")
    mail_of.set_content("\n\n".join(part for part in (message.headline, message.todo, message.link) if part) + "\n")
    return mail_of


def headed(settings: Settings, to: Iterable[str], subject: str) -> EmailMessage:
    """A mail that has nothing but its head."""
    mail_of = EmailMessage()
    sender = settings.alert_from or _sender(settings)
    mail_of["From"] = Address("daybook", addr_spec=sender)
    mail_of["To"] = [Address(addr_spec=each) for each in to]
    mail_of["Subject"] = subject if len(subject) <= _SUBJECT else f"{subject[: _SUBJECT - 1]}…"
    mail_of["Date"] = formatdate(localtime=False)
    mail_of["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    mail_of["Auto-Submitted"] = "auto-generated"  # no out-of-office answers
    return mail_of


@_bounded
def mail(server: str, *sizes: EmailMessage) -> None:
    """Send by a server given as a URL: smtps:// is TLS, smtp:// is STARTTLS, which only loopback may go without.

    Of several `sizes` of one mail, the largest first, the first one is sent that is not larger than mail may be, here
    or by what the server says of itself. Raises OSError (smtplib's errors are) and ssl.SSLError for a certificate that
    nobody vouches for.
    """
    parts = urlsplit(server)
    host, context = str(parts.hostname), ssl.create_default_context()
    if parts.scheme == "smtps":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=SECONDS, context=context)
    else:
        connection = smtplib.SMTP(host, parts.port or 587, timeout=SECONDS)
    with connection:
        connection.ehlo()
        if parts.scheme == "smtp" and (connection.has_extn("starttls") or not is_loopback_host(host)):
            connection.starttls(context=context)
            connection.ehlo()
        if parts.username and parts.password:
            connection.login(unquote(parts.username), unquote(parts.password))
        said = connection.esmtp_features.get("size", "")
        most = min(LARGEST, int(said) or LARGEST) if said.isdigit() else LARGEST
        fitting = [each for each in sizes if len(each.as_bytes(policy=SMTP)) <= most]
        connection.send_message((fitting or sizes[-1:])[0])


class _NoRedirect(HTTPRedirectHandler):
    """A POST that is redirected would arrive as an empty GET: it is a failure instead."""

    def redirect_request(self, *_: object) -> None:
        return None


_opener = build_opener(_NoRedirect)


@_bounded
def post(url: str, body: dict[str, str]) -> None:
    """POST a JSON document. Raises OSError for any answer but 2xx, and for none."""
    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310  (settings.py)
    with _opener.open(request, timeout=SECONDS):
        pass


@_bounded
def get(url: str) -> None:
    """GET a URL so that its server notes the request. Raises OSError for any answer but 2xx, and for none."""
    with _opener.open(url, timeout=SECONDS):
        pass


def _sender(settings: Settings) -> str:
    """The user of the mail server where that is an address, else the first that is written to: most servers take it."""
    user = unquote(urlsplit(settings.alert_smtp.get_secret_value()).username or "") if settings.alert_smtp else ""
    return user if "@" in user else (*settings.alert_to, *settings.report_to)[0]


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
