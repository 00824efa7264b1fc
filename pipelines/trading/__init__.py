"""Trading around the request itself: what is asked, what is shown before, the journal, and what the books get of it.

Nothing here can send anything: that is pipelines/broker/trading.py alone, which the sync must not import.
"""
