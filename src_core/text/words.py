"""Words of a prompt, and the sides it speaks of."""

from __future__ import annotations

import re

SIDES = {
    "left": "right",
    "right": "left",
    "left-sided": "right-sided",
    "right-sided": "left-sided",
    "leftmost": "rightmost",
    "rightmost": "leftmost",
}
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*", re.UNICODE)


def words(text: str) -> list[str]:
    """Return the lower-case words of `text`.

    >>> words("The Left-sided effusion, (small)")
    ['the', 'left-sided', 'effusion', 'small']
    """
    return _WORD.findall(text.lower())


def sides(text: str) -> frozenset[str]:
    """Return which of ``left`` and ``right`` the text speaks of.

    >>> sorted(sides("bilateral opacity, left more than right"))
    ['left', 'right']
    """
    found = (word for word in words(text) if word in SIDES)
    return frozenset("left" if word.startswith("left") else "right" for word in found)


def swap_sides(text: str) -> str:
    """Exchange left and right, keeping the case of the first letter.

    >>> swap_sides("Left lung and right heart border")
    'Right lung and left heart border'
    """

    def swap(match: re.Match[str]) -> str:
        word = match.group()
        other = SIDES.get(word.lower(), word)
        return other.capitalize() if word[0].isupper() and other != word else other

    return _WORD.sub(swap, text)
