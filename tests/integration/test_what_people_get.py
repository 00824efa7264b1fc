"""What people get of an evening that was INCOMPLETE and is completed later: the alert and its end, the report by mail,
the report that came first, and what a group may read."""

from __future__ import annotations

import grp
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from pypdf import PdfReader

from assets.catalog import CATALOG
from dagster_project.end_of_day import run_end_of_day
from pipelines.alerts import delivery
from pipelines.alerts.alert import Alert, send
from pipelines.report.content import Report
from pipelines.report.mail import mail_report, report_mails
from pipelines.report.write import Written, write_report
from pipelines.settings import Settings
from pipelines.warehouse.doctor import examine
from tests.integration.test_alert_delivery import Mailbox, mail_server
from tests.support.broker_server import BrokerServer
from tests.support.browser import needs_chromium, page
from tests.support.desk import FRIDAY, shares

pytestmark = pytest.mark.heavy
DAY = date(2025, 10, 31)
GROUP = grp.getgrgid(next((each for each in os.getgroups() if each != os.getegid()), os.getegid())).gr_name
HELD = {
    100: [shares("100", "150.50", cost="14500.00", day="2025-10-31")],
    200: [shares("-5", "150.50", cost="-700.00", day="2025-10-31", account=200)],
}


@dataclass(frozen=True)
class Evening:
    """A home after two runs of one evening, and what the mail server took meanwhile."""

    settings: Settings
    box: Mailbox
    first_page: bytes
    report: Report

    def mails(self, subject: str) -> list[EmailMessage]:
        return [mail for mail in self.box.mails if subject in str(mail["Subject"])]

    @property
    def reports(self) -> list[EmailMessage]:
        return [mail for mail in self.box.mails if mail["To"] == "desk@example.com"]


@pytest.fixture(scope="module")
def evening() -> Iterator[Evening]:
    """In a folder that another user of this machine can reach."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="daybook-test-")))
        folder.chmod(0o711)
        box = stack.enter_context(mail_server())
        broker = stack.enter_context(BrokerServer(accounts=[100, 200], positions=HELD, instructions={}))
        broker.now = datetime.fromisoformat(FRIDAY)
        for name in ("CLEAR_STREET_API_KEY", "DAYBOOK_ACCOUNTS"):
            patch.delenv(name, raising=False)
        environ = {
            "CLEAR_STREET_BASE_URL": broker.url,
            "DAYBOOK_HOME": str(folder / "home"),
            "DAGSTER_HOME": str(folder / "home" / "dagster"),
            "DAYBOOK_ALERT_SMTP": f"smtp://127.0.0.1:{box.port}",
            "DAYBOOK_ALERT_TO": "ops@example.com",
            "DAYBOOK_REPORT_TO": "desk@example.com",
            "DAYBOOK_PUBLISH_GROUP": GROUP,
        }
        for name, value in environ.items():
            patch.setenv(name, value)
        settings = Settings.from_env()
        broker.forbidden = {("200", "positions")}
        assert run_end_of_day(settings).status == "INCOMPLETE"
        send(settings, Alert("No run has closed the day.", "Run it.", DAY, kind="MISSING_DAY"))
        send(settings, Alert("daybook eod failed.", "Run it.", None, kind="RUN_FAILED"))
        send(settings, Alert("What was landed can't be loaded.", "See there.", DAY, kind="QUARANTINE"))
        first_page = (settings.reports / f"report_{DAY}.html").read_bytes()
        broker.forbidden = set()
        assert run_end_of_day(settings).status == "COMPLETE"
        written = write_report(settings, CATALOG, DAY)
        mail_report(settings, written)  # as a later run would
        yield Evening(settings, box, first_page, written.report)


def test_an_incident_that_has_ended_is_told_once_and_what_goes_on_is_not(evening: Evening) -> None:
    told = [str(mail["Subject"]).strip() for mail in evening.mails("RESOLVED")]
    assert sorted(told) == [
        "daybook 2025-10-31: RESOLVED: the day is COMPLETE, 2 of 2 accounts whole.",
        "daybook 2025-10-31: RESOLVED: the day is COMPLETE, 2 of 2 accounts whole.",
        "daybook RESOLVED: a later run has gone through.",
    ]
    assert len(evening.mails("1 of 2 accounts are whole")) == 1
    log = (evening.settings.home / "alerts.log").read_text()
    assert log.count('"resolved": "2025-10-31 INCOMPLETE"') == log.count('"resolved": "2025-10-31 MISSING_DAY"') == 1
    assert '"resolved": "2025-10-31 QUARANTINE"' not in log


def test_the_report_is_mailed_once_for_each_way_in_which_the_day_stood(evening: Evening) -> None:
    first, second = evening.reports
    assert str(first["Subject"]).startswith("daybook 2025-10-31: INCOMPLETE")
    assert str(first["Subject"]).endswith(", 1 of 2 accounts complete")
    assert str(second["Subject"]).startswith("daybook 2025-10-31: COMPLETE")
    text = second.get_body(("plain",))
    assert text is not None
    assert "2 of 2 accounts complete" in text.get_content()
    (paper,) = second.iter_attachments()
    assert paper.get_filename() == "report_2025-10-31.pdf"
    assert len(PdfReader(BytesIO(paper.get_payload(decode=True))).pages) >= 1  # type: ignore[arg-type]
    inline = second.get_body(("html",))
    assert inline is not None
    page_of = (evening.settings.reports / "report_2025-10-31.html").read_text()
    assert inline.get_content().splitlines() == page_of.splitlines()


@needs_chromium
def test_the_mail_opens_in_a_browser_without_a_broken_part(evening: Evening, tmp_path: Path) -> None:
    inline = evening.reports[-1].get_body(("html",))
    assert inline is not None
    (tmp_path / "mail.html").write_text(inline.get_content())
    with page() as tab:
        tab.look(800, 1000)
        tab.open((tmp_path / "mail.html").as_uri())
        assert [url for url in tab.requests if not url.startswith(("file:", "data:"))] == []
        assert tab.trouble == []
        assert tab.run("[...document.images].every(each => each.complete && each.naturalWidth > 0)")
        assert "2 of 2 accounts complete" in tab.run("document.body.innerText")
        tab.keep("report-mail")


def test_a_mail_is_never_larger_than_mail_may_be(evening: Evening, tmp_path: Path) -> None:
    page_of, paper = tmp_path / "report.html", tmp_path / "report.pdf"
    page_of.write_text("<p>small</p>")
    paper.write_bytes(os.urandom(delivery.LARGEST))
    whole, without_paper, text = report_mails(evening.settings, Written(evening.report, (page_of, paper)))
    assert [len(list(each.iter_attachments())) for each in (whole, without_paper, text)] == [1, 0, 0]
    assert f"Too large for a mail: {paper}" in without_paper.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    with mail_server(data_size_limit=20_000) as box:
        url = f"smtp://127.0.0.1:{box.port}"
        delivery.mail(url, whole, without_paper, text)
        page_of.write_text("<p>large</p>" * 3000)
        delivery.mail(url, *report_mails(evening.settings, Written(evening.report, (page_of, paper))))
    small, least = box.mails
    assert [small.get_content_type(), least.get_content_type()] == ["multipart/alternative", "text/plain"]
    assert f"Too large for a mail: {page_of}" in least.get_content()


def test_what_the_evening_said_first_is_kept(evening: Evening) -> None:
    kept = evening.settings.reports / "first" / f"report_{DAY}.html"
    assert kept.read_bytes() == evening.first_page
    assert (evening.settings.reports / f"report_{DAY}.html").read_bytes() != evening.first_page
    assert (evening.settings.reports / "first" / f"report_{DAY}_csv" / "accounts.csv").is_file()


def test_a_group_reads_what_is_published_and_nothing_else(evening: Evening) -> None:
    home, reports = evening.settings.home, evening.settings.reports
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in (home, *home.rglob("*"))}
    shared = {path for path, mode in modes.items() if mode & 0o077}
    assert shared == {home, home / "daybook.duckdb", reports, *reports.rglob("*")}
    assert {path.group() for path in shared} == {GROUP}
    assert {modes[path] for path in shared} == {0o710, 0o750, 0o640}
    assert not [each for each in examine(evening.settings, dry_run=True) if "Others on this machine" in each.what]
    alone = evening.settings.model_copy(update={"publish_group": None})
    assert [each for each in examine(alone, dry_run=True) if "Others on this machine" in each.what]


_READS = """
import os, sys
import duckdb
group, home = sys.argv[1:]
os.setgroups([int(group)]); os.setgid(65534); os.setuid(65534)
print(duckdb.connect(home + "/daybook.duckdb", read_only=True).execute("select status from quality.day").fetchall())
print(open(home + "/reports/report_2025-10-31.html").read(9))
for name in ("warehouse.duckdb", "alerts.log", "archive", "dagster/dagster.yaml", "ui-token"):
    try:
        os.listdir(home + "/" + name) if name == "archive" else open(home + "/" + name)
    except PermissionError:
        continue
    except FileNotFoundError:
        continue
    sys.exit(name)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_of_the_group_opens_the_published_copy(evening: Evening) -> None:
    group = str(grp.getgrnam(GROUP).gr_gid)
    command = [sys.executable, "-P", "-c", _READS, group, str(evening.settings.home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[('COMPLETE',)]\n<!DOCTYPE\n"), done.stderr


def test_a_group_that_nobody_knows_is_one_sentence() -> None:
    from pipelines.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match="DAYBOOK_PUBLISH_GROUP names 'no-such-group', which is no group"):
        Settings.from_env({"DAYBOOK_PUBLISH_GROUP": "no-such-group"})
