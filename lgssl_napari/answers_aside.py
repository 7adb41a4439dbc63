"""The models asked in the helper process, so that the window never waits for one."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lgssl_napari.models import Answerer
from lgssl_napari.opened import opened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lgssl_napari.guide import Named, Where
    from lgssl_napari.helper import HelperLike
    from lgssl_napari.models import Heard, Mask
    from lgssl_napari.telling import Told
    from src_core.acquire import Pick
    from src_core.store import Project


class AnswersAside:
    """The same answers, from the helper process, which opens the project itself.

    Parameters
    ----------
    helper : HelperLike
        Where the work is done.
    """

    def __init__(self, helper: HelperLike) -> None:
        self._helper, self._call = helper, helper.call

    def hear(
        self,
        project: Project,
        version: str,
        image: str,
        prompt: str,
        told: Told | None = None,
    ) -> Heard:
        """Ask a version for one prompt about one image; tell of its slices."""
        return self._call(_hear, project.path, version, image, prompt, told=told)

    def stop(self) -> None:
        """Give up what is being asked, from another thread."""
        self._helper.stop(_hear)

    def picks(self, project: Project, version: str | None, count: int) -> list[Pick]:
        """Choose what to label next; by chance without a version."""
        return self._call(_picks, project.path, version, count)

    def masks(
        self, project: Project, versions: Sequence[str], image: str, target: str
    ) -> list[Mask]:
        """Return the mask of one target by each version."""
        return self._call(_masks, project.path, tuple(versions), image, target)

    def where(self, project: Project, version: str, image: str, target: str) -> Where:
        """Find where a version's opinions about an image part."""
        return self._call(_where, project.path, version, image, target)

    def doubted(self, project: Project, version: str) -> tuple[Named, ...]:
        """List the finished masks that a version doubts."""
        return self._call(_doubted, project.path, version)

    def warm(self, project: Project, version: str) -> None:
        """Load a version before it is needed."""
        self._call(_warm, project.path, version)


# --------------------------------------------------------- in the helper process
@cache
def _answerer() -> Answerer:
    return Answerer()


def _hear(path: Path, version: str, image: str, prompt: str) -> Heard:
    return _answerer().hear(opened(path), version, image, prompt)


def _picks(path: Path, version: str | None, count: int) -> list[Pick]:
    return _answerer().picks(opened(path), version, count)


def _masks(path: Path, versions: Sequence[str], image: str, target: str) -> list[Mask]:
    return _answerer().masks(opened(path), versions, image, target)


def _warm(path: Path, version: str) -> None:
    _answerer().warm(opened(path), version)


def _where(path: Path, version: str, image: str, target: str) -> Where:
    return _answerer().where(opened(path), version, image, target)


def _doubted(path: Path, version: str) -> tuple[Named, ...]:
    return _answerer().doubted(opened(path), version)
