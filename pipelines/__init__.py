"""How data moves, room by room in the order in which a row passes them.

In: the broker's answers, the settings, adjustments.csv. Out: the warehouse, the published copy, reports, alerts.
Stays out: Dagster, the command line, and which tables exist; a catalogue of tables is handed in.
"""
