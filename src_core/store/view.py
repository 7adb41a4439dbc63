"""A project as it is at one position: everything that only reads."""

from __future__ import annotations

import difflib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src_core.errors import BadInputError, CorruptError, NotFoundError
from src_core.store import documents, images, masks, records
from src_core.store.catalogue import Catalogue
from src_core.store.groups import GroupMap
from src_core.store.guard import contained, is_id
from src_core.store.layout import CACHE, REFERENCES
from src_core.store.ledger import Ledger
from src_core.store.masks import Mask
from src_core.store.rows import Effort
from src_core.types import Image, Revision, Split, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    import zarr
    from numpy.typing import NDArray

    from src_core.store.rows import MaskRecord
    from src_core.store.verify import Finding
    from src_core.store.zarr_store import LedgerStore


class ProjectView:
    """What can be asked of a project, whoever may write to it.

    Parameters
    ----------
    path : Path
        The folder.
    ledger : Ledger
        Its open ledger.
    at : int or None
        A frozen position; None follows the newest revision.
    """

    def __init__(self, path: Path, ledger: Ledger, *, at: int | None = None) -> None:
        self.path = path
        self.ledger = ledger
        self._at = at
        self._catalogue = Catalogue(ledger, at, path / CACHE)
        self._groups = GroupMap(path)

    @property
    def read_only(self) -> bool:
        """Whether nothing can be saved here."""
        return self.ledger.read_only

    @property
    def position(self) -> int:
        """The revision that is shown: the frozen one, or the newest now."""
        return self.ledger.head if self._at is None else self._at

    @property
    def name(self) -> str:
        """The name that the project was given."""
        data = self.ledger.read(records.NODE, self._at)
        found = {} if data is None else records.attributes(data, records.NODE)
        return str(found.get("lgssl", {}).get("name", self.path.name))

    @property
    def store(self) -> LedgerStore:
        """The ledger at this position as a zarr store, for reading."""
        from src_core.store.zarr_store import LedgerStore

        return LedgerStore.over(self.ledger, self.position)

    @property
    def models_dir(self) -> Path:
        """Where model versions lie (0700)."""
        return contained(self.path, "models")

    @property
    def jobs_dir(self) -> Path:
        """Where jobs keep their state (0700)."""
        return contained(self.path, "jobs")

    @property
    def logs_dir(self) -> Path:
        """Where logs lie (0700)."""
        return contained(self.path, "logs")

    @property
    def references_dir(self) -> Path:
        """Where it is kept which files of an archive images come from (0700)."""
        return contained(self.path, REFERENCES)

    @property
    def cache_dir(self) -> Path:
        """What can be made again (0700)."""
        return contained(self.path, CACHE)

    # ----------------------------------------------------------------- images
    def images(self, split: Split | None = None) -> list[Image]:
        """List the images, of one split or all, sorted by identifier."""
        found = self._catalogue.images()
        return [image for image in found if split is None or image.split == split]

    def image_ids(self) -> list[str]:
        """List the images' identifiers, sorted, without reading their records."""
        keys = self.ledger.keys(records.IMAGES, self._at)
        return [key.split("/")[1] for key in keys if key.count("/") == 2]

    def image(self, id_or_name: str) -> Image:
        """Return one image.

        Raises
        ------
        NotFoundError
            When there is none; the message suggests similar ones.
        BadInputError
            When several have this name.
        """
        found = self._image_record(id_or_name)
        if found is not None:
            return found
        # An identifier begins with its name's slug: no need to read all of them.
        stem = records.IMAGES + records.plain_slug(id_or_name)
        named = [
            image
            for key, data in self.ledger.values(stem, at=self._at)
            if key.count("/") == 2 and data is not None
            for image in [records.unpack_image(key, data)]
            if image.name == id_or_name
        ]
        if not named:
            named = [i for i in self._catalogue.images() if i.name == id_or_name]
        if len(named) > 1:
            raise BadInputError(
                f"{len(named)} images are called '{id_or_name}'; say which: "
                f"{', '.join(image.id for image in named[:5])}."
            )
        if not named:
            names = [name for i in self._catalogue.images() for name in (i.id, i.name)]
            raise NotFoundError(_missing("image", id_or_name, names))
        return named[0]

    def find_image(self, identifier: str) -> Image | None:
        """Return one image by its identifier, None where there is none."""
        return self._image_record(identifier)

    def pixels(self, image: Image | str) -> zarr.Array[Any]:
        """Open an image's pixels for reading; what is not indexed is not read.

        Returns
        -------
        zarr.Array
            Shape and type as the image says; read-only.

        Raises
        ------
        CorruptError, BadInputError
            When the folder is not what was imported.
        """
        found = image if isinstance(image, Image) else self.image(image)
        return images.open_pixels(self.path, found)

    def group_name(self, group: str) -> str:
        """Return whom a group's pseudonym stands for, where the map says so."""
        return self._groups.name(group)

    def nameless_groups(self) -> list[str]:
        """List the groups that the map has no name for.

        All of them, where the project was made from a backup without names: nobody
        can tell then that a new image shows one of these patients.
        """
        return [
            group
            for group in self._catalogue.groups()
            if self._groups.name(group) == group
        ]

    # ---------------------------------------------------------------- targets
    def targets(self) -> list[Target]:
        """List what can be found, sorted by identifier."""
        return self._catalogue.targets()

    def target(self, id_or_name: str) -> Target:
        """Return one target; names match whatever their case.

        Raises
        ------
        NotFoundError
            When there is none; the message suggests similar ones.
        """
        found = self._find_target(id_or_name)
        if found is None:
            names = [name for t in self.targets() for name in (t.id, t.name)]
            raise NotFoundError(_missing("target", id_or_name, names))
        return found

    # ------------------------------------------------------------------ masks
    def mask(self, image: str, target: str) -> Mask | None:
        """Return a mask as it stands at this position, None where there is none."""
        found, wanted = self.image(image), self.target(target)
        head = self.ledger.mask_head(found.id, wanted.id, self._at)
        if head is None or head.status is None:
            return None
        return Mask(
            image=found.id,
            target=wanted.id,
            status=head.status,
            revision=head.number,
            who=self.ledger.mask_author(found.id, wanted.id, head.number),
            reviewer=self.ledger.reviewer(head.number),
            note=head.note,
            _load=partial(self.read_mask, found, wanted.id, head.number),
        )

    def masks(self, split: Split | None = None) -> list[MaskRecord]:
        """List every mask at this position without its pixels."""
        found = self._catalogue.masks()
        if split is None:
            return found
        kept = {image.id for image in self.images(split)}
        return [record for record in found if record.image in kept]

    def read_mask(self, image: Image, target: str, revision: int) -> NDArray[np.uint8]:
        """Return a mask's pixels as they were right after a revision.

        Returns
        -------
        ndarray of uint8
            0 and 1 over the image's spatial shape; all 0 where there was no mask.

        Raises
        ------
        NotFoundError
            When there is no such revision at this position.
        """
        if not 0 <= revision <= self.position:
            raise NotFoundError(
                f"There is no revision {revision}; the newest is {self.position}."
            )
        prefix = records.mask_prefix(image.id, target)
        keys = self.ledger.rewritten_keys(f"{prefix}c/", revision)
        return masks.decode(
            self.ledger.read(prefix + records.NODE, revision),
            image.spatial_shape,
            {key.removeprefix(prefix) for key in keys},
            lambda key: self.ledger.read(prefix + key, revision),
            f"The mask of '{target}' in '{image.id}'",
        )

    # ---------------------------------------------------------------- history
    def history(
        self,
        image: str | None = None,
        target: str | None = None,
        limit: int | None = None,
    ) -> list[Revision]:
        """List changes up to this position, newest first."""
        return self.ledger.history(
            None if image is None else self.image(image).id,
            None if target is None else self.target(target).id,
            at=self._at,
            limit=limit,
        )

    def document(self, key: str) -> dict[str, Any] | None:
        """Return a document as it stands at this position, None where there is none."""
        return documents.read(self.ledger, key, self._at)

    def documents(self, key: str) -> list[tuple[Revision, dict[str, Any]]]:
        """List a document's versions up to this position, newest first."""
        return documents.versions(self.ledger, key, self._at)

    def documents_under(
        self, prefix: str, since: int = 0
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield name and content of each document whose name begins so.

        Parameters
        ----------
        prefix : str
            Such as ``"documents/wish."``.
        since : int
            Only those that changed after this revision.
        """
        return documents.under(self.ledger, prefix, since, self._at)

    def changed(self, since: int) -> list[tuple[str, str | None, str | None]]:
        """List verb, image and target of what changed after a revision, each once."""
        sql = (
            "SELECT DISTINCT what, image, target FROM revision "
            "WHERE number > ? AND number <= ?"
        )
        return [
            (row[0], row[1], row[2])
            for row in self.ledger.rows(sql, (since, self.position))
        ]

    def efforts(self, since: int = 0) -> list[Effort]:
        """List the time that people spent on masks after a revision, oldest first."""
        sql = (
            "SELECT image, target, seconds_spent, number FROM revision "
            "WHERE seconds_spent > 0 AND image IS NOT NULL AND target IS NOT NULL "
            "AND number > ? AND number <= ? ORDER BY number"
        )
        return [Effort(*row) for row in self.ledger.rows(sql, (since, self.position))]

    # -------------------------------------------------------- the whole of it
    def verify(self, deep: bool = True) -> list[Finding]:
        """Check the hash chain, the values and the images.

        Parameters
        ----------
        deep : bool
            Hash every stored value and every pixel, not only the chain.

        Returns
        -------
        list of Finding
            Empty where all is well; otherwise the first broken row comes first.
        """
        from src_core.store.verify import verify

        # A connection of its own: the window goes on saving meanwhile.
        with Ledger(self.ledger.path) as ledger:
            return verify(self.path, ledger, self.position, self._all_images, deep=deep)

    def backup(self, file: Path | str, *, names: bool = False) -> Path:
        """Write one file with the whole project, consistent while others write.

        Parameters
        ----------
        file : Path or str
            A ``.zip``; it appears whole, or not at all, in the place of an older one.
        names : bool
            Put the map of patients' names in, too, and what knows them again.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        BadInputError
            When a file of this name is there that is no backup.
        """
        from src_core.store.backup import backup

        with Ledger(self.ledger.path) as ledger:
            return backup(self.path, ledger, Path(file), names=names)

    def _all_images(self) -> list[Image]:
        """List the images, once the targets were found to be readable too."""
        self.targets()
        images = Catalogue(self.ledger, self._at).images()
        if images != self.images():
            raise CorruptError(
                f"What '{self.path / CACHE}' remembers of the images is not what the "
                "ledger says; delete that folder."
            )
        return images

    def _image_record(self, identifier: str) -> Image | None:
        if not is_id(identifier):
            return None
        key = records.image_key(identifier)
        data = self.ledger.read(key, self._at)
        return None if data is None else records.unpack_image(key, data)

    def _find_target(self, id_or_name: str) -> Target | None:
        wanted = " ".join(id_or_name.split()).casefold()
        known = self.targets()
        by_id = [target for target in known if target.id == id_or_name]
        by_name = [target for target in known if target.name.casefold() == wanted]
        return next(iter((*by_id, *by_name)), None)


def _missing(what: str, wanted: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(wanted, list(dict.fromkeys(known)), n=3)
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "check it."
    return f"There is no {what} {wanted!r} in the project; {hint}"
