"""The methods: one file each, one row each in the table."""

from __future__ import annotations

from src_core.errors import BadInputError
from src_core.methods.base import Batch, Losses, Method, Moment
from src_core.methods.cps import CPS
from src_core.methods.lg_ssl import LGSSL
from src_core.methods.lvit import LViT
from src_core.methods.mean_teacher import MeanTeacher
from src_core.methods.supervised import Supervised
from src_core.methods.unimatch import UniMatch
from src_core.methods.versemi import VerSemi

METHODS: dict[str, type[Method]] = {
    method.name: method
    for method in (LGSSL, Supervised, MeanTeacher, UniMatch, CPS, LViT, VerSemi)
}


def method_class(name: str) -> type[Method]:
    """Return the method of that name.

    Raises
    ------
    BadInputError
        If the table has no such method.
    """
    if name not in METHODS:
        raise BadInputError(
            f"There is no method '{name}'; choose one of {', '.join(METHODS)}."
        )
    return METHODS[name]


__all__ = ["METHODS", "Batch", "Losses", "Method", "Moment", "method_class"]
