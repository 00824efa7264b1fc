"""From raw to core, pnl and quality: the engine that derives the books.

In: an open warehouse, adjustments.csv and a catalogue of tables. Out: derived tables, versions with their
reasons, locks, the data dictionary, and the books as known at an instant.
Stays out: which tables there are and their SQL (assets), and how they are shown (pipelines/report).
"""
