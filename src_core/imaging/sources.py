"""Where a picture is found: a file, a part of one, or several files together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from src_core.errors import BadInputError

CHANNELS = "channels"
"""The part that means: what would be a series in time is the channels of one image."""


@dataclass(frozen=True, slots=True)
class Source:
    """One picture in files.

    Written as text it is the path, and after a ``#`` the part, such as
    ``fmri.nii.gz#volume=3`` or ``study#series=1.2.840.1``.

    Attributes
    ----------
    path : Path
        A file, or the folder that a series of files lies in.
    part : str
        Which picture of several: ``volume=N`` and ``frame=N`` count from 0,
        ``series=UID`` names a DICOM series, ``tile=LEVEL,Y,X,SIDE`` a part of a
        slide; joined by ``&``. `CHANNELS` takes several files, or all volumes of
        one, as the channels of one image.
    files : tuple of Path
        Of a DICOM series, by position; ``()`` where they were not looked up.
    number, count : int
        Which one this is of how many pictures of a series in time.
    """

    path: Path
    part: str = ""
    files: tuple[Path, ...] = ()
    number: int = 0
    count: int = 1

    def __str__(self) -> str:
        return f"{self.path}#{self.part}" if self.part else str(self.path)

    @classmethod
    def of(cls, text: str | Path | Source, folder: Path | None = None) -> Source:
        """Read what `str` writes; a file whose own name has a ``#`` comes first.

        Parameters
        ----------
        text : str, Path or Source
            What names the picture.
        folder : Path, optional
            What a path that is not absolute starts from.
        """
        if isinstance(text, Source):
            return text
        path = (folder or Path()) / text
        before, mark, part = str(path).rpartition("#")
        if not mark or path.exists():
            return cls(path)
        return cls(Path(before), part)

    @property
    def order(self) -> tuple[str, int, str]:
        """Sorts by path, and a series in time by its own order."""
        return str(self.path), self.number, self.part

    @property
    def stamped(self) -> tuple[Path, ...]:
        """Return the files whose change changes the picture."""
        return self.files or (self.path,)


def wanted(part: str, name: str) -> str | None:
    """Return what a part says of a name, None where it does not speak of it.

    >>> wanted("series=1.2&volume=3", "volume")
    '3'
    """
    for piece in part.split("&"):
        key, mark, value = piece.partition("=")
        if mark and key.strip() == name:
            return value.strip()
    return None


def wanted_number(part: str, name: str, count: int, what: str) -> int:
    """Return which picture of a series in time is meant.

    Parameters
    ----------
    part : str
        Of the source.
    name : str
        ``"volume"`` or ``"frame"``.
    count : int
        How many there are.
    what : str
        The file, for the message.

    Raises
    ------
    BadInputError
        If the part does not say, or says a number that is not there.
    """
    value = wanted(part, name)
    if value is None and count == 1:
        return 0
    if value is None or not value.isdecimal() or int(value) >= count:
        said = "" if value is None else f", and no {name} '{value}'"
        raise BadInputError(
            f"'{what}' holds {count} {name}s{said}; say which, such as "
            f"'{what}#{name}=0', the last is {name}={count - 1}."
        )
    return int(value)


def which(take: str, count: int) -> int | None:
    """Return which picture of a series in time is wanted, None for all of them.

    Parameters
    ----------
    take : str
        ``"all"``, ``"first"``, ``"middle"``, a number from 0, or ``""`` for no choice.
    count : int
        How many there are; one that is alone is always wanted.

    Returns
    -------
    int or None
        -1 where nothing was chosen of several.

    Raises
    ------
    BadInputError
        If `take` is none of these.
    """
    named = {"all": None, "first": 0, "middle": count // 2, "": -1}
    if take not in named and not take.isdecimal():
        raise BadInputError(
            f"'{take}' says not what to take of a series in time; use all, first, "
            "middle or a number."
        )
    if count == 1:
        return None
    return int(take) if take.isdecimal() else named[take]


def series_in_time(path: Path, word: str, count: int) -> list[Source]:
    """Return a source for each picture of one file; the file itself where it has one.

    Parameters
    ----------
    path : Path
        The file.
    word : str
        What its pictures are called: ``"frame"`` or ``"volume"``.
    count : int
        How many there are.
    """
    named = [f"{word}={n}" for n in range(count)] if count > 1 else [""]
    whole = Source(path, count=len(named))
    return [replace(whole, part=part, number=n) for n, part in enumerate(named)]
