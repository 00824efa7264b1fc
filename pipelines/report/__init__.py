"""The end-of-day report.

In: the books of one day as known at an instant. Out: its files, one module a format: html, pdf, xlsx, csv.
Stays out: deriving anything that the books have (pipelines/books), and who runs it.
"""
