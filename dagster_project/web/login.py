"""The page that asks for the token."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from starlette.responses import HTMLResponse

_STYLE = (
    "body{font:16px system-ui,sans-serif;max-width:34em;margin:15vh auto;padding:0 1em}input{font:inherit;width:100%}"
)
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>daybook</title><style>{style}</style>
<h1>daybook</h1>
<p>{problem}</p>
{onward}<form action="/" method="get"><p><label>The token, as <code>daybook serve</code> printed it (it is in the file
<code>ui-token</code> of DAYBOOK_HOME, too):
<input name="token" type="password" autocomplete="off" required autofocus></label></p>
<p><button>Open</button></p></form>
"""


def login_page(problem: str, headers: Mapping[str, str], onward: str | None = None) -> HTMLResponse:
    """The page, with what was wrong and, for somebody who may be logged in, a link to where they were going (401)."""
    link = f'<p><a href="{escape(onward)}">Already logged in? Go on.</a></p>\n' if onward else ""
    policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"
    page = _PAGE.format(style=_STYLE, problem=escape(problem), onward=link)
    return HTMLResponse(page, 401, {**headers, "Content-Security-Policy": policy})
