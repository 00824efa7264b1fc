"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# a machine with other work to do is no fault of what is tested: a timing is never an assertion
settings.register_profile("daybook", deadline=None, print_blob=True)
settings.load_profile("daybook")
