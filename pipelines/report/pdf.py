"""The report as PDF: A4 landscape by typst, from the same view as the pages. The same report is the same bytes."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import typst

from pipelines.report.charts import charts
from pipelines.report.content import Report
from pipelines.report.view import view


def render_pdf(report: Report) -> bytes:
    """The PDF. Its date is the knowledge time, and only fonts that come with typst are used: no machine differs."""
    data = json.dumps(view(report) | {"charts": charts(report)}, ensure_ascii=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", typst.TypstWarning)  # of letters that no font of its own has
        made = typst.compile(
            (Path(__file__).parent / "templates" / "report.typ").read_bytes(),
            format="pdf",
            sys_inputs={"data": data},
            ignore_system_fonts=True,
            timestamp=int(report.known_at.timestamp()),
        )
    assert isinstance(made, bytes)  # noqa: S101  (one document, not pages)
    return made
