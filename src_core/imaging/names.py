"""File names for what people named."""

from __future__ import annotations

import re


class Names:
    """Gives each name a safe file name, and no two the same one.

    Case is not told apart by every file system, so it is not here either.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, name: str) -> str:
        """Return letters, digits, ``-_.`` and blanks of `name`, numbered if need be.

        >>> names = Names()
        >>> names.new("left lung"), names.new("a/b"), names.new("a:b")
        ('left lung', 'a_b', 'a_b 2')
        """
        stem = re.sub(r"[^\w\-. ]", "_", name).strip(". ") or "unnamed"
        safe, number = stem, 1
        while safe.lower() in self._taken:
            number += 1
            safe = f"{stem} {number}"
        self._taken.add(safe.lower())
        return safe
