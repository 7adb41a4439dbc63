"""Other ways to say the same thing, made from the words alone.

A network that has met a target under one wording clings to its words. Trained on
several, it listens to what they share. Every rule here keeps the meaning: which thing,
which part of it, and which side. Where a rule cannot be sure, nothing is said.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from src_core.text.anatomy import (
    ADJECTIVES,
    NUMBERS,
    OF_NUMBERS,
    ORGANS,
    PAIRED,
    PARTS,
    SIDED,
    SPELLINGS,
)
from src_core.text.words import sides, words

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 8
"""Words of a prompt beyond which it is a description of its own, left as it is."""

REQUESTS = (
    "the {}",
    "segment the {}",
    "{} in this image",
    "find the {}",
    "segment {}",
    "show me the {}",
    "the {} in this scan",
    "mark the {}",
)
"""Ways to ask, each around a noun phrase."""

# "Segment 4" and "segment of the liver" are things, not requests.
_ASKED = re.compile(
    r"^(?:please |can you |could you )?"
    r"(?:segment|find|show|mark|delineate|highlight|locate|annotate|detect)"
    r"(?: me)?(?: all)? (?!of\b|\d|[ivx]+\b)",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(?:the|a|an|every|each|any) ", re.IGNORECASE)
_PLACE = re.compile(
    r" (?:in|on) (?:this|the) (?:[\w-]+ ){0,2}"
    r"(?:image|picture|photo|scan|slice|frame|section|view|mri|ct|x-ray|radiograph)$",
    re.IGNORECASE,
)
_DETERMINED = frozenset({"both", "all", "two", "this", "that", "no", "any", "each"})


def noun_phrase(prompt: str) -> str:
    """Return what a prompt asks for, without the words that do the asking.

    >>> noun_phrase("Please segment the right ventricle in this cardiac MRI")
    'right ventricle'
    """
    text = " ".join(prompt.split()).rstrip(" .?!")
    core = _PLACE.sub("", _ASKED.sub("", text))
    if sides(core) != sides(text):  # "in the left picture" says which one is meant
        core = text
    return _ARTICLE.sub("", core)


def paraphrases(prompt: str) -> tuple[str, ...]:
    """Return other wordings of the same meaning, the plainest first.

    None of them repeats the prompt; none names another side than it does. A long
    prompt, or one with inner punctuation, has none.

    >>> paraphrases("left ventricle cavity")[:2]
    ('cavity of the left ventricle', 'left ventricular cavity')
    """
    core = noun_phrase(prompt)
    said = words(core)
    if not said or len(said) > LONGEST or re.search(r"[.,;:!?()/|]", core):
        return ()
    phrases = list(dict.fromkeys((core, *rephrased(core))))
    requests = [r for r in REQUESTS if not set(words(r)) & set(said) - {"the"}]
    found = [*phrases]
    for number, request in enumerate(requests):
        phrase = phrases[number % len(phrases)]
        if words(phrase)[0] in _DETERMINED:
            request = request.replace("the {}", "{}")
        found.append(request.format(phrase))
    known = {tuple(words(prompt))}
    new = []
    for text in found:
        if (key := tuple(words(text))) not in known:
            known.add(key)
            new.append(text)
    return tuple(new)


def rephrased(core: str) -> Iterator[str]:
    """Yield a noun phrase's other forms: word order, adjective, number, spelling."""
    said = core.split()
    lower = [word.lower() for word in said]
    yield from _reordered(said, lower)
    if "of" in lower:  # what stands before it is the noun: its forms are another's
        return
    last = lower[-1]
    for table in (ADJECTIVES, _inverse(ADJECTIVES)):
        if len(said) > 1 and lower[-2] in table and last in PARTS:
            yield " ".join([*said[:-2], table[lower[-2]], said[-1]])
    if len(said) == 1 or (len(said) == 2 and lower[0] in OF_NUMBERS):
        for table in (NUMBERS, _inverse(NUMBERS)):
            if last in table:
                yield " ".join([*said[:-1], table[last]])
    for table in (SPELLINGS, _inverse(SPELLINGS)):
        if last in table:
            yield " ".join([*said[:-1], table[last]])


def _reordered(said: list[str], lower: list[str]) -> Iterator[str]:
    """Yield LEFT LUNG <-> LUNG ON THE LEFT, LIVER LESION <-> LESION OF THE LIVER."""
    if len(said) == 2 and lower[0] in ("left", "right") and lower[1] in PAIRED:
        yield f"{said[1]} on the {said[0].lower()}"
    on_a_side = lower[1:] in (["on", "the", "left"], ["on", "the", "right"])
    if on_a_side and lower[0] in PAIRED:
        yield f"{said[3]} {said[0]}"
    if _is_organ(lower[:-1]) and lower[-1] in PARTS:
        yield f"{said[-1]} of the {' '.join(said[:-1])}"
    if lower[1:3] == ["of", "the"] and lower[0] in PARTS and _is_organ(lower[3:]):
        yield f"{' '.join(said[3:])} {said[0]}"


def _is_organ(lower: list[str]) -> bool:
    """Whether these words are an organ, with its side at most.

    In "right heart border" the side is the border's, in "large liver lesion" the size
    is the lesion's: neither may move with the organ.
    """
    if len(lower) == 2:
        return lower[0] in ("left", "right") and lower[1] in SIDED
    return len(lower) == 1 and lower[0] in ORGANS


def _inverse(table: dict[str, str]) -> dict[str, str]:
    return {there: here for here, there in table.items()}
