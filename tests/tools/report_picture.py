"""README's picture: the top of the report of the demo. `python -m tests.tools.report_picture .daybook/demo`."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

from tests.support.browser import page

PICTURE = Path(__file__).parents[2] / "docs" / "report.png"
WIDTH, HEIGHT = 1280, 1000


def take(report: Path) -> None:
    """Take the picture of a static report."""
    with page() as tab:
        tab.look(WIDTH, HEIGHT)
        tab.open(report.absolute().as_uri())
        PICTURE.write_bytes(base64.b64decode(tab.ask("Page.captureScreenshot")["data"]))


if __name__ == "__main__":
    reports = (path for path in Path(sys.argv[1], "reports").glob("report_*.html") if "interactive" not in path.name)
    take(max(reports))
