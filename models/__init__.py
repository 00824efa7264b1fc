"""What the broker says, typed.

In: the JSON of one answer. Out: checked rows, with every decimal as exact text, and what was noticed about them.
Stays out: HTTP, files, tables, time. pydantic and nothing else.
"""
