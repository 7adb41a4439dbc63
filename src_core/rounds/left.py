"""Why there is nothing to label next, in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src_core.rounds.standing import finished_images
from src_core.rounds.wishes import WishKind, wishes
from src_core.types import Split

if TYPE_CHECKING:
    from collections.abc import Collection

    from src_core.store import Project

    Pairs = set[tuple[str, str]]


def why_none(project: Project, targets: Collection[str] = ()) -> str:
    """Say why no image of a project is offered.

    Parameters
    ----------
    project : Project
        Of which nothing was picked.
    targets : collection of str, optional
        Ids of the targets that were wanted; all of them if not given.
    """
    train = {image.id for image in project.images(Split.TRAIN)}
    if not train:
        count = len(project.image_ids())
        if not count:
            return "There are no images in the project yet; add some."
        return f"None of the {_images(count)} is for training; no other is offered."
    known = {target.id: target.name for target in project.targets()}
    wanted = targets or known or ("",)
    left = _unfinished(project, train, wanted)
    if not left:
        named = ", ".join(f"'{known[target]}'" for target in targets)
        return f"Every training image is labelled for {named or 'every target'}."
    offered = left - _skipped(project, wanted)
    if not offered:
        count = len({image for image, _ in left})
        return (
            f"All that is not labelled yet was skipped ({_images(count)}); "
            "`lgssl next --forget` lets an image be offered again."
        )
    count = len({image for image, _ in offered})
    return (
        f"What is not labelled yet ({_images(count)}) is of another kind than the "
        "images in which the targets were drawn; open one to draw in it all the same."
    )


def _unfinished(project: Project, train: set[str], wanted: Collection[str]) -> Pairs:
    done = finished_images(project)
    return {
        (image, target)
        for target in wanted
        for image in train.difference(done.get(target, ()))
    }


def _skipped(project: Project, wanted: Collection[str]) -> Pairs:
    found: dict[tuple[str, str], bool] = {}
    # What is wished for all targets first: a wish for one of them goes above it.
    for wish in sorted(wishes(project), key=lambda wish: wish.target):
        for target in (wish.target,) if wish.target else wanted:
            found[wish.image, target] = wish.kind is WishKind.SKIP
    return {pair for pair, skipped in found.items() if skipped}


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"
