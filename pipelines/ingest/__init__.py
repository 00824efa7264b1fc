"""A trading day, read whole from the broker and landed in raw.*.

In: the reading client, the settings, an open warehouse. Out: raw rows, a run and its manifest, gaps with their reasons.
Stays out: P&L and everything else that is derived (pipelines/books), and sending (pipelines/trading).
"""
