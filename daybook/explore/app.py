"""The explorer's page, a marimo application: accounts and days, P&L, positions and readings, two instants compared.

`daybook explore` starts it. Cells are functions of what they need; marimo runs again those whose inputs have changed.
"""

import marimo

app = marimo.App(width="full", app_title="daybook")


@app.cell
def _():
    import marimo as mo

    from daybook.explore.questions import NOW, PublishedBooks, Scope, format_rows, numbers, parse_typed_instant
    from pipelines.errors import DaybookError
    from pipelines.settings import Settings

    books = PublishedBooks(Settings.from_env().published)
    ids, first, last = books.extent()

    def table(rows, **how):
        right = dict.fromkeys(numbers(rows), "right")
        return mo.ui.table(format_rows(rows), text_justify_columns=right, **{"selection": None, "page_size": 15, **how})  # type: ignore[arg-type]

    return DaybookError, NOW, Scope, books, first, ids, parse_typed_instant, last, mo, table


@app.cell
def _(first, ids, last, mo):
    accounts = mo.ui.multiselect(ids, value=ids, label="Accounts")
    days = mo.ui.date_range(first, last, (first, last), label="Trading days")
    known_at = mo.ui.text(label="As known at (empty: now)", placeholder="2005-03-04 22:00")
    mo.vstack([mo.md("# daybook"), mo.hstack([accounts, days, known_at], justify="start", gap=2)])
    return accounts, days, known_at


@app.cell
def _(DaybookError, NOW, Scope, accounts, days, known_at, mo, parse_typed_instant):
    try:
        at = parse_typed_instant(known_at.value) or NOW
    except DaybookError as error:
        mo.stop(True, mo.callout(mo.plain_text(str(error)), kind="danger"))
    mo.stop(not accounts.value, mo.callout("Choose an account.", kind="warn"))
    scope = Scope(accounts.value, *days.value, at)
    return (scope,)


@app.cell
def _(books, mo, scope, table):
    unsound = [row for row in books.days(scope) if row["status"] != "COMPLETE"]
    mo.vstack(
        [
            mo.Html(f'<div style="max-width:640px">{books.chart(scope)}</div>'),
            mo.callout("Every day is complete.", kind="success")
            if not unsound
            else mo.accordion({f"{len(unsound)} days are not complete": table(unsound)}),
        ]
    )
    return


@app.cell
def _(books, mo, scope, table):
    rows = books.daily(scope)
    daily = table(rows, selection="single", label="Choose a day to see what made it")
    mo.vstack([mo.md("## P&L by account and day"), daily])
    return (daily,)


@app.cell
def _(books, daily, mo, scope, table):
    from datetime import date

    mo.stop(not daily.value)
    account, day = daily.value[0]["account_id"], date.fromisoformat(daily.value[0]["trading_date"])
    mo.vstack(
        [
            mo.md(f"## {account} on {day}"),
            mo.ui.tabs(
                {
                    "Positions": table(books.positions(account, day, scope.at)),
                    "Readings of the broker": table(books.snapshots(account, day)),
                    "Versions": table(books.versions(account, day)),
                }
            ),
        ]
    )
    return


@app.cell
def _(books, mo, scope, table):
    mo.vstack(
        [
            mo.md("## Performance up to the last day, since each account was opened"),
            table(books.performance(scope)),
            mo.accordion({"Every session, and the source of its figures": table(books.history(scope))}),
        ]
    )
    return


@app.cell
def _(mo):
    earlier = mo.ui.text(label="What was known at", placeholder="2005-03-04 22:00")
    later = mo.ui.text(label="and at (empty: now)", placeholder="2005-03-05 09:00")
    mo.vstack([mo.md("## What changed between two instants"), mo.hstack([earlier, later], justify="start", gap=2)])
    return earlier, later


@app.cell
def _(DaybookError, NOW, books, earlier, later, mo, parse_typed_instant, scope, table):
    try:
        before, after = parse_typed_instant(earlier.value), parse_typed_instant(later.value) or NOW
    except DaybookError as error:
        mo.stop(True, mo.callout(mo.plain_text(str(error)), kind="danger"))
    mo.stop(before is None)
    differing = books.compared(scope, before, after)
    table(differing) if differing else mo.callout("Nothing differs.", kind="success")
    return


if __name__ == "__main__":
    app.run()
