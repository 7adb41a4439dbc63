"""What a table says of an image that is in the project already."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from src_core.store.records import clean
from src_core.types import Split

if TYPE_CHECKING:
    from src_core.imaging import TableRow
    from src_core.store import Project
    from src_core.types import Image


class Told(NamedTuple):
    """What is new, None where nothing is, and what a person should know.

    Attributes
    ----------
    split : Split or None
    group, caption : str or None
    notes : tuple of str
        What contradicts the project, which stays as it is.
    """

    split: Split | None = None
    group: str | None = None
    caption: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_news(self) -> bool:
        """Whether the project has to be changed."""
        return (self.split, self.group, self.caption) != (None, None, None)


def told_of(project: Project, image: Image, row: TableRow) -> Told:
    """Compare a row with what the project knows of its image.

    Pictures are often added before there is a table. What nobody has said of them yet
    is filled in then: patient, split and caption. A split of ``train`` is also what a
    table says that says nothing.

    Parameters
    ----------
    project : Project
        At its newest.
    image : Image
        One of it.
    row : TableRow
        Any of the image's: they agree about it.

    Raises
    ------
    BadInputError
        If the caption is too long.
    """
    notes = []
    said = clean(row.caption, "caption", empty=True)
    caption = said if said and not image.caption else None
    if said not in ("", image.caption) and caption is None:
        notes.append("it has another caption in the project, which stays")
    known_as = (image.group, project.group_name(image.group))
    if row.group and image.group and row.group not in known_as:
        # Whom it shows decides what it may be for: the split is not believed either.
        notes.append(
            f"it shows another patient in the project, in the split '{image.split}', "
            "and stays there"
        )
        return Told(caption=caption, notes=tuple(notes))
    group = row.group if row.group and not image.group else None
    split = None
    if Split.TRAIN is not row.split != image.split:
        if image.split is Split.TRAIN:
            split = row.split
        else:
            notes.append(f"it is in the split '{image.split}', where it stays")
    if split is not None and any(project.models_dir.iterdir()):
        notes.append(
            f"it moves from the split 'train' to '{split}'; models trained until now "
            "may have learned from it"
        )
    return Told(split, group, caption, tuple(notes))
