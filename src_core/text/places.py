"""Words of a place in a picture, in the languages that people ask in."""

# fmt: off
from __future__ import annotations

LEFT = frozenset({
    "left", "left-sided", "leftmost", "lt", "links", "linke", "linken", "linker",
    "linkes", "linkse", "linksseitig", "gauche", "izquierda", "izquierdo",
    "esquerda", "esquerdo", "sinistra", "sinistro", "lewa", "lewe", "lewy", "левая",
    "левое", "левый",
})

RIGHT = frozenset({
    "right", "right-sided", "rightmost", "rt", "rechts", "rechte", "rechten",
    "rechter", "rechtes", "rechtsseitig", "droit", "droite", "derecha", "derecho",
    "direita", "direito", "destra", "destro", "prawa", "prawe", "prawy", "правая",
    "правое", "правый",
})
"""The encoder may not know them all; a network learns them."""

HEIGHTS = frozenset({
    "upper", "lower", "uppermost", "lowermost", "top", "bottom", "superior",
    "inferior", "cranial", "caudal", "anterior", "posterior", "ventral", "dorsal",
    "obere", "oberen", "oberer", "oberes", "untere", "unteren", "unterer",
    "unteres", "supérieur", "supérieure", "inférieur", "inférieure", "superiore",
    "inferiore",
})
"""In a picture that is turned on its head another one is meant."""
