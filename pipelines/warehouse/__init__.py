"""The DuckDB files: opened, locked, written, published, backed up, verified.

In: a home folder and selects. Out: tables written whole or not at all, and the published copy.
Stays out: what the tables mean, and where their rows come from.
"""
