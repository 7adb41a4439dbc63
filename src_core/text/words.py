"""Words of a prompt, and the sides it speaks of."""

from __future__ import annotations

import re
import unicodedata

from src_core.text.places import HEIGHTS, LEFT, RIGHT

SIDES = {
    "left": "right",
    "right": "left",
    "left-sided": "right-sided",
    "right-sided": "left-sided",
    "leftmost": "rightmost",
    "rightmost": "leftmost",
}
_LETTER = re.compile(r"(?<![\w'\u2019-])[LR](?![\w'\u2019-])")
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*", re.UNICODE)
_SILENT = re.compile(r"""[\s_/,.;:!?"'()\[\]{}«»„“”\u2018\u2019…]+""")


def words(text: str) -> list[str]:
    """Return the lower-case words of `text`.

    >>> words("The Left-sided effusion, (small)")
    ['the', 'left-sided', 'effusion', 'small']
    """
    return _WORD.findall(text.lower())


def as_said(text: str) -> tuple[str, ...]:
    """Return what tells a text from others: its parts, without mere punctuation.

    A sign may be all that two wordings differ in, and so may be the vowel signs of a
    script, or a picture.

    >>> as_said("CD4+ cells (stained)"), as_said("CD4- cells, stained")
    (('cd4+', 'cells', 'stained'), ('cd4-', 'cells', 'stained'))
    """
    folded = unicodedata.normalize("NFC", text).lower().strip()
    return tuple(part for part in _SILENT.split(folded) if part) or (folded,)


def sides(text: str) -> frozenset[str]:
    """Return which of ``left`` and ``right`` the text speaks of.

    >>> sorted(sides("bilateral opacity, left more than right"))
    ['left', 'right']
    >>> [sorted(sides(text)) for text in ("linke Lunge", "R kidney", "右肺")]
    [['left'], ['right'], ['right']]
    """
    said = {*words(text), *_LETTER.findall(text)}
    names = {"left": (LEFT | {"L"}, "左"), "right": (RIGHT | {"R"}, "右")}
    return frozenset(
        side for side, (known, sign) in names.items() if said & known or sign in text
    )


def names_a_place(text: str) -> bool:
    """Whether the text speaks of a side, or of above and below.

    >>> [names_a_place(text) for text in ("upper lobe", "poumon droit", "lobe")]
    [True, True, False]
    """
    return bool(sides(text)) or not HEIGHTS.isdisjoint(words(text))


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
