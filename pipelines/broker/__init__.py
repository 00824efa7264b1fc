"""Reading from the broker over HTTP.

In: an address, a key and what to ask for. Out: whole listings, proven, as rows or columns, and every answer as
received.
Stays out: sending anything but a GET (pipelines/trading), and what becomes of the rows (pipelines/ingest).
"""
