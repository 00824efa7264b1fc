"""The performance report of a period: a month, a quarter, a year, or all that anybody knows.

In: the published books, a period and the day that it ends on, benchmarks that people supply. Out: files, in the formats
of the end-of-day report and by its modules (html, pdf, xlsx, csv).
Stays out: what performance is (pnl.performance), and who runs it.
"""
