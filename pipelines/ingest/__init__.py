"""A trading day, read whole from the broker and landed in raw.*.

In: the reading client, the settings, an open warehouse. Out: raw rows, a run, and its manifest,
which says what was not read and why.
Stays out: P&L and everything else that is derived (pipelines/books), and sending (pipelines/trading).
"""
