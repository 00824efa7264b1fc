"""The report of an evening by mail: the static page as the mail itself, the PDF with it, never more than a mail may be.

Sent when a day is reported first, and again when it stands otherwise: FLASH that became FINAL, INCOMPLETE that became
COMPLETE. Figures of the night that change nothing of that wait in the report.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

from pipelines.alerts.alert import note_undelivered
from pipelines.alerts.delivery import headed, mail
from pipelines.archive.files import read_file, write_whole
from pipelines.report.content import Report
from pipelines.report.view import view
from pipelines.report.write import Written
from pipelines.settings import Settings

_KEPT = timedelta(days=90)
_MOST_BYTES = 2**20


def mail_report(settings: Settings, written: Written) -> None:
    """Mail a report to DAYBOOK_REPORT_TO, unless its day was mailed standing so. Never raises: what can't be delivered
    is a line in alerts.log, and the next run tries again."""
    if not settings.report_to or settings.alert_smtp is None:
        return
    report, sent = written.report, settings.home / "mailed.json"
    standing = f"{report.status} {report.finality or ''} {report.complete}/{report.expected} {report.recovered}"
    try:
        known = _load(sent)
        if known.get(report.day.isoformat()) == standing:
            return
        mail(settings.alert_smtp.get_secret_value(), *report_mails(settings, written))
        _save(sent, {**known, report.day.isoformat(): standing}, report.day)
    except Exception as error:
        note_undelivered(settings, f"the report of {report.day} by e-mail: {type(error).__name__}")


def report_mails(settings: Settings, written: Written) -> list[EmailMessage]:
    """The mail with the page and the PDF, and what is left of it where that is too large: without the PDF, and without
    the page. Raises OSError where the files of the report can't be read."""
    page, paper = (_file(written, suffix) for suffix in (".html", ".pdf"))
    made = []
    for with_page, with_paper in ((True, True), (True, False), (False, False)):
        left_out = [path for path, is_in in ((page, with_page), (paper, with_paper)) if path and not is_in]
        message = headed(settings, settings.report_to, _subject(written.report))
        message.set_content(_text(written, left_out))
        if page and with_page:
            message.add_alternative(read_file(page).decode(), subtype="html")
        if paper and with_paper:
            message.add_attachment(read_file(paper), maintype="application", subtype="pdf", filename=paper.name)
        made.append(message)
    return made


def _file(written: Written, suffix: str) -> Path | None:
    """The first file of a kind: of pages, the one for mail."""
    return next((path for path in written.files if path.suffix == suffix), None)


def _subject(report: Report) -> str:
    standing = f"{report.status} {report.finality or ''}".strip()
    return f"daybook {report.day}: {standing}, {report.complete} of {report.expected} accounts complete"


def _text(written: Written, left_out: list[Path]) -> str:
    """The head of the report, for whoever sees no page."""
    shown = view(written.report)
    lines = [
        f"{shown['title']}: {shown['status']} {shown['finality']}, {shown['accounts_complete']}.",
        f"To look at: {', '.join(item['text'] for item in shown['attention'])}",
        *(f"{kpi['label']}: {kpi['text']} ({kpi['note']})" for kpi in shown["kpis"][:1]),
        "",
        *(f"Too large for a mail: {path}" for path in left_out),
        f"The whole report: {written.files[0].parent}",
    ]
    return "\n".join(lines) + "\n"


def _load(path: Path) -> dict[str, str]:
    try:
        known = json.loads(read_file(path, _MOST_BYTES))
    except (FileNotFoundError, ValueError):  # not whole: rather mail again than keep silent
        return {}
    return known if isinstance(known, dict) else {}


def _save(path: Path, known: dict[str, str], day: date) -> None:
    oldest = min(day, datetime.now(UTC).date()) - _KEPT
    kept = {each: standing for each, standing in known.items() if each >= oldest.isoformat()}
    write_whole(path, json.dumps(kept, indent=1).encode(), durable=False)
