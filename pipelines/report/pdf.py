"""The report as PDF: A4 landscape by typst, from the same view as the pages. The same report is the same bytes."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import typst

from pipelines.report.charts import charts
from pipelines.report.content import Report
from pipelines.report.view import view

_TEMPLATES = Path(__file__).parent / "templates"


def render_pdf(report: Report) -> bytes:
    """The end-of-day report on paper."""
    return on_paper("report.typ", view(report) | {"charts": charts(report)}, report.known_at)


def on_paper(template: str, data: Mapping[str, Any], known_at: datetime) -> bytes:
    """A PDF of what `data` says, by a template after what all of them have in common.

    Its date is the knowledge time, and only fonts that come with typst are used: no machine differs.
    """
    source = b"\n".join((_TEMPLATES / name).read_bytes() for name in ("paper.typ", template))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", typst.TypstWarning)  # of letters that no font of its own has
        made = typst.compile(
            source,
            format="pdf",
            sys_inputs={"data": json.dumps(data, ensure_ascii=False, default=str)},
            ignore_system_fonts=True,
            timestamp=int(known_at.timestamp()),
        )
    assert isinstance(made, bytes)  # noqa: S101  (one document, not pages)
    return made
