"""The end-of-day report, and in `performance` the report of a period.

In: the published books, a day, and an instant as of which they are known. Out: files, one module a format: html, pdf,
xlsx, csv.
Stays out: deriving anything that the books have (pipelines/books), and who runs it.
"""
