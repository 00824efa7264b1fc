"""The explorer's page, a marimo application: accounts and days, P&L, positions and readings, two instants compared.

`daybook explore` starts it. Cells are functions of what they need; marimo runs again those whose inputs have changed.
"""

import marimo

app = marimo.App(width="full", app_title="daybook")


@app.cell
def _():
    import marimo as mo

    from daybook.explore.questions import NOW, PublishedBooks, Scope, parse_typed_instant
    from daybook.explore.words import format_rows, numbers
    from pipelines.errors import DaybookError
    from pipelines.settings import Settings

    books = PublishedBooks(Settings.from_env().books)
    _ids, first, last = books.extent()
    names = books.names()
    called = {account: name for name, account in names.items()}

    def table(rows, **how):
        for row in rows:
            for name in row.keys() & {"account_id", "account"}:
                row[name] = called.get(row[name], row[name])
        right = dict.fromkeys(numbers(rows), "right")
        return mo.ui.table(format_rows(rows), text_justify_columns=right, **{"selection": None, "page_size": 15, **how})  # type: ignore[arg-type]

    return DaybookError, NOW, Scope, books, first, last, mo, names, parse_typed_instant, table


@app.cell
def _(first, last, mo, names):
    accounts = mo.ui.multiselect(names, value=list(names), label="Accounts", full_width=True)
    days = mo.ui.date_range(first, last, (first, last), label="Trading days")
    known_at = mo.ui.text(label="As known at (empty: now)", placeholder="2005-03-04 22:00")
    mo.vstack([mo.md("# daybook"), accounts, mo.hstack([days, known_at], justify="start", gap=2, wrap=True)])
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
    some = "1 day is" if len(unsound) == 1 else f"{len(unsound)} days are"
    side_by_side = "display:grid;gap:0 2rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr))"
    mo.vstack(
        [
            mo.plain_text(books.money(scope)),
            mo.md(f"P&L {scope.told}: point at a day for its figures."),
            mo.Html(
                f'<div style="{side_by_side}"><div>{books.chart(scope)}</div><div>{books.calendar(scope)}</div></div>'
            ),
            mo.callout("Every day is complete, as is known now.", kind="success")
            if not unsound
            else mo.accordion({f"{some} not complete, as is known now": table(unsound)}),
        ]
    )
    return


@app.cell
def _(books, mo, scope, table):
    rows = books.daily(scope)
    daily = table(rows, selection="single", label="Choose a day to see what made it")
    mo.vstack([mo.md(f"## P&L by account and day, {scope.told}"), daily])
    return (daily,)


@app.cell
def _(books, daily, mo, names, scope, table):
    from datetime import date

    mo.stop(not daily.value)
    _name, day = daily.value[0]["account"], date.fromisoformat(daily.value[0]["day"])
    account = names[_name]
    mo.vstack(
        [
            mo.md(f"## {_name} on {day}"),
            mo.ui.tabs(
                {
                    f"Positions, {scope.told}": table(books.positions(account, day, scope.at)),
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
            mo.md("## Performance up to the last day, since each account was opened, as is known now"),
            table(books.performance(scope)),
            mo.accordion({"Every session, and the source of its figures": table(books.history(scope))}),
        ]
    )
    return


@app.cell
def _(mo):
    earlier = mo.ui.text(label="What was known at", placeholder="2005-03-04 22:00")
    later = mo.ui.text(label="and at (empty: now)", placeholder="2005-03-05 09:00")
    mo.vstack(
        [mo.md("## What changed between two instants"), mo.hstack([earlier, later], justify="start", gap=2, wrap=True)]
    )
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
