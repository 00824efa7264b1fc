"""How whatever takes long tells of its progress, and a pipe or a terminal decides what becomes of it."""

from __future__ import annotations

from collections.abc import Callable

#: Called with a sentence, or a few words, now and then.
Tell = Callable[[str], None]
