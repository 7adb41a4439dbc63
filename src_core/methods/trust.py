"""How far a teacher's answer on an unlabelled picture is trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def clarity(teacher: Tensor, sure: Tensor, counts: Tensor) -> Tensor:
    """Tell how clear each answer is: sure finds among all that might be the target.

    ``|surely inside| / |asked, and not surely outside|``. A clear answer has a narrow
    rim of doubt around what it finds. Of a picture unlike the labelled ones a teacher
    is sure of the background and of little else; a student that learns from that finds
    less (or more, where the doubt lies outside), and the teacher follows its student.
    So a pair counts by its clarity, and where nothing is found it does not count.

    Parameters
    ----------
    teacher : Tensor
        (P, 1, H, W) logits.
    sure : Tensor
        The same shape, 1 where the teacher is sure and the pixel counts, else 0.
    counts : Tensor
        The same shape, 1 where the teacher was asked at all, else 0.

    Returns
    -------
    Tensor
        (P, 1, 1, 1) in [0, 1].
    """
    surely = sure > 0
    inside = teacher > 0
    found = (surely & inside).flatten(1).sum(1)
    maybe = ((counts > 0) & ~(surely & ~inside)).flatten(1).sum(1)
    return (found / maybe.clamp_min(1)).view(-1, 1, 1, 1).to(sure.dtype)
