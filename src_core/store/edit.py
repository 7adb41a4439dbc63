"""A project that is open for writing: everything that changes it."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from src_core.errors import ReadOnlyError
from src_core.store import changes, documents, images, records, staging
from src_core.store.lock import user_name
from src_core.store.rows import Change
from src_core.store.view import ProjectView
from src_core.types import HUMAN, Image, MaskStatus, Revision, Source, Split, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from src_core.store.ledger import Ledger
    from src_core.store.staging import Staged


class ProjectEditor(ProjectView):
    """What can be changed in a project, each change a revision with its author.

    Parameters
    ----------
    path : Path
        The folder.
    ledger : Ledger
        Its open ledger.
    at : int or None
        A frozen position.
    who : str
        The author where a change names none.
    """

    def __init__(
        self, path: Path, ledger: Ledger, *, at: int | None = None, who: str = ""
    ) -> None:
        super().__init__(path, ledger, at=at)
        self.who = who or user_name()
        self._wording = threading.Lock()

    # ----------------------------------------------------- images and targets
    def add_image(
        self,
        pixels: NDArray[Any],
        *,
        name: str,
        axes: str,
        spacing: Sequence[float] | None = None,
        unit: str = "pixel",
        origin: Sequence[float] = (),
        orientation: str = "",
        group: str = "",
        split: Split = Split.TRAIN,
        caption: str = "",
        direction: Sequence[float] = (),
        modality: str = "",
        who: str = "",
    ) -> tuple[Image, bool]:
        """Import an image once.

        Parameters
        ----------
        pixels : ndarray
            Whole numbers or floats, one axis a letter of `axes`.
        name : str
            The name shown to people; it must not be a patient's.
        axes : str
            A subset of ``"czyx"`` in that order, with y and x.
        spacing, origin : sequence of float, optional
            One value a spatial axis, in `unit`.
        unit : str
            ``"millimeter"``, ``"micrometer"`` or ``"pixel"``.
        orientation : str
            Direction in which each spatial axis grows, or ``""``.
        group : str
            The patient; the ledger keeps a pseudonym and a 0600 file the name.
        split : Split
            What the image is for; the same for a whole group.
        caption : str
            A sentence about this image.
        direction : sequence of float
            Nine numbers where the axes are oblique; see `Image`.
        modality : str
            DICOM's word for what took it, or ``""``.
        who : str
            The author.

        Returns
        -------
        Image
            The image, or the one with the very same pixels that is there already.
        bool
            Whether it is new.

        Raises
        ------
        BadInputError
            When the pixels do not fit what is said about them, or the group is in
            another split.
        StoreError
            When the disk is full; nothing is left behind.
        """
        self._check_writable()
        found, stored = staging.describe(
            pixels,
            name=name,
            axes=axes,
            spacing=spacing,
            unit=unit,
            origin=origin,
            orientation=orientation,
            direction=direction,
            modality=modality,
        )
        known = self._catalogue.with_hash(found.sha256)
        if known is not None:
            return known, False
        image = self._admitted(found, group, split, caption)
        images.write_image(self.path, image, stored)
        self.ledger.commit(*changes.add_image(image, who or self.who))
        return image, True

    def add_staged(
        self,
        staged: Staged,
        *,
        group: str = "",
        patient: str = "",
        split: Split = Split.TRAIN,
        caption: str = "",
        who: str = "",
    ) -> tuple[Image, bool]:
        """Import an image that `stage_image` has made ready; as `add_image`.

        The staged folder is used or removed, whatever comes of it. `patient` is what
        the files call whom they show, where `group` is a person's word for it.

        Raises
        ------
        BadInputError
            When the group is in another split.
        """
        try:
            self._check_writable()
            known = self._catalogue.with_hash(staged.image.sha256)
            if known is not None:
                return known, False
            image = self._admitted(staged.image, group, split, caption)
            if group and patient not in ("", group):
                self._groups.also(image.group, patient)
            images.adopt(self.path, image, staged.folder)
            self.ledger.commit(*changes.add_image(image, who or self.who))
            return image, True
        finally:
            images.discard(staged.folder)

    def discard_staged(self, staged: Staged) -> None:
        """Remove a staged image that is not wanted after all."""
        images.discard(staged.folder)

    def _admitted(self, found: Image, group: str, split: Split, caption: str) -> Image:
        """Give an image that is new its identifier, its group and its split."""
        pseudonym = self._groups.pseudonym(group, self._catalogue)
        changes.check_group(self._catalogue, pseudonym, split, found.name)
        return replace(
            found,
            id=records.slug(found.name, self._has_image, found.sha256),
            group=pseudonym,
            split=split,
            caption=records.clean(caption, "caption", empty=True),
        )

    def remember_images(self) -> None:
        """Make the next opening of a large project quicker; for after an import."""
        self._check_writable()
        self._catalogue.remember(self.cache_dir)

    def update_image(
        self,
        image: str,
        *,
        split: Split | None = None,
        group: str | None = None,
        caption: str | None = None,
        who: str = "",
    ) -> Revision:
        """Change what is known about an image.

        A group is never divided: with `split`, every image of the group moves, in the
        same revision.

        Raises
        ------
        NotFoundError
            When there is no such image.
        BadInputError
            When it would join a group that is in another split.
        """
        self._check_writable()
        if group is not None:
            group = self._groups.pseudonym(group, self._catalogue)
        change, entries = changes.update_image(
            self._catalogue,
            self.image(image),
            split=split,
            group=group,
            caption=None
            if caption is None
            else records.clean(caption, "caption", empty=True),
            who=who or self.who,
        )
        return self.ledger.commit(change, entries)

    def add_target(
        self,
        name: str,
        prompts: Iterable[str] = (),
        who: str = "",
        *,
        window: str | None = None,
    ) -> Target:
        """Make a target known, or add wordings to one that is.

        Parameters
        ----------
        name : str
            The name shown to people.
        prompts : iterable of str
            Wordings that mean it, the usual one first.
        who : str
            The author.
        window : str, optional
            How CT is shown where it is looked for; None leaves it as it is.

        Returns
        -------
        Target
            With the old wordings before the new ones.
        """
        self._check_writable()
        name = " ".join(records.clean(name, "name of a target").split())
        wordings = [prompts] if isinstance(prompts, str) else prompts
        given = [records.clean(prompt, "prompt") for prompt in wordings]
        if window is not None:
            window = records.clean(window, "window", empty=True)
        # Read, added to and written by one thread at a time: a table may be imported
        # while a person teaches the same target another wording.
        with self._wording:
            known = self._find_target(name)
            target = self._worded(known, name, given)
            if window is not None:
                target = replace(target, window=window)
            if target != known:
                change = Change(who or self.who, "target", target=target.id)
                packed = records.pack_target(target)
                self.ledger.commit(change, {records.target_key(target.id): packed})
        return target

    def _worded(self, known: Target | None, name: str, given: list[str]) -> Target:
        """Return a target with wordings added, a new one where none is known."""
        if known is None:
            taken = {target.id for target in self.targets()}
            identifier = records.slug(name, taken.__contains__, name.casefold())
            return Target(identifier, name, tuple(dict.fromkeys(given)))
        return replace(known, prompts=tuple(dict.fromkeys((*known.prompts, *given))))

    # ------------------------------------------------------------------ masks
    def save_mask(
        self,
        image: str,
        target: str,
        array: NDArray[Any] | None,
        *,
        who: str = "",
        status: MaskStatus,
        source: Source = HUMAN,
        parent: int | None = None,
        seconds_spent: float = 0.0,
        note: str = "",
        reviewer: str = "",
    ) -> Revision:
        """Save a mask as a new revision; on the disk when this returns.

        Parameters
        ----------
        image, target : str
            Identifiers or names.
        array : ndarray or None
            0 and 1 over the image's spatial shape. None keeps the pixels that stand;
            with ``EMPTY`` or ``UNLABELLED`` it removes them.
        who : str
            The author.
        status : MaskStatus
            How far the author has got.
        source : Source
            Where the pixels came from.
        parent : int or None
            The revision that was loaded; None where there was no mask.
        seconds_spent : float
            A person's time.
        note : str
            Needed with ``FLAGGED``: what to look at.
        reviewer : str
            A second person who agreed.

        Returns
        -------
        Revision
            Only the chunks that changed were written.

        Raises
        ------
        ConflictError
            When `parent` is not the revision that stands.
        BadInputError
            When the pixels do not fit the image or contradict the status.
        """
        self._check_writable()
        found, wanted = self.image(image), self.target(target)
        change = Change(
            who or self.who,
            "mask",
            image=found.id,
            target=wanted.id,
            status=status,
            source=source,
            parent=parent,
            seconds_spent=seconds_spent,
            reviewer=reviewer,
            note=note,
        )
        entries = changes.save_mask(self.ledger, found, wanted.id, array, change)
        return self.ledger.commit(change, entries)

    def sign_off(self, image: str, target: str, who: str) -> Revision:
        """Sign a finished mask off, as somebody other than its author.

        Raises
        ------
        BadInputError
            When the mask is not finished, or `who` made it.
        """
        self._check_writable()
        found, wanted = self.image(image), self.target(target)
        return self.ledger.commit(
            changes.sign_off(self.ledger, found.id, wanted.id, who)
        )

    def restore(self, revision: int, who: str = "") -> Revision:
        """Bring back what a revision left, as a new revision; nothing is rewritten.

        Raises
        ------
        NotFoundError
            When there is no such revision.
        """
        self._check_writable()
        change, entries = changes.restore(
            self.ledger, self._catalogue, revision, who or self.who
        )
        return self.ledger.commit(change, entries)

    # -------------------------------------------------------------- documents
    def record(
        self, what: str, entries: Mapping[str, bytes], who: str = "", note: str = ""
    ) -> Revision:
        """Keep small JSON documents in the ledger, as one revision.

        Parameters
        ----------
        what : str
            A verb for the history, such as ``"promote"``.
        entries : mapping of str to bytes
            Key (``"documents/promoted.json"``) to a JSON object.
        who, note : str
            The author; why.

        Raises
        ------
        BadInputError
            When a key or a value is not usable.
        """
        self._check_writable()
        change = Change(who or self.who, what, note=note)
        return self.ledger.commit(change, documents.pack(entries))

    def _check_writable(self) -> None:
        if self.read_only:
            raise ReadOnlyError(
                f"'{self.path}' is open for reading only; open it for writing to "
                "change it."
            )

    def _has_image(self, identifier: str) -> bool:
        return self._image_record(identifier) is not None
