"""The whole store against a plain dictionary, in any order of events."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as npst
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from src_core.errors import BadInputError, ConflictError, LockedError
from src_core.store import Project, images
from src_core.types import MaskStatus, Split

SHAPES = [("yx", (3, 4)), ("zyx", (3, 2, 4))]
TARGETS = ["heart", "left lung"]
PEOPLE = ["ada", "bob"]


@dataclasses.dataclass
class Expected:
    """What the store must say at one position."""

    images: dict[str, tuple[np.ndarray, Split]] = dataclasses.field(
        default_factory=dict
    )
    targets: set[str] = dataclasses.field(default_factory=set)
    masks: dict[tuple[str, str], tuple[int, MaskStatus, np.ndarray]] = (
        dataclasses.field(default_factory=dict)
    )

    def copy(self) -> Expected:
        return Expected(dict(self.images), set(self.targets), dict(self.masks))


class ProjectMachine(RuleBasedStateMachine):
    """One writer, any number of pinned readers, crashes at any moment."""

    names = Bundle("names")

    @initialize()
    def start(self) -> None:
        self.home = Path(tempfile.mkdtemp())
        self.crashes = 0
        self.project = Project.create(self.home / "p0", "Study", who="ada")
        self._hurry()
        self.now = Expected()
        self.past = {0: Expected(), 1: Expected()}
        self.pins: list[Project] = []

    def teardown(self) -> None:
        if hasattr(self, "home"):
            for pin in self.pins:
                pin.close()
            self.project.close()
            shutil.rmtree(self.home)

    def _hurry(self) -> None:
        # A crash here is simulated above the disk: waiting for it adds nothing.
        self.project.ledger.database.connection.pragma("synchronous", "OFF")

    def _remember(self) -> None:
        self.past[self.project.position] = self.now.copy()

    # ------------------------------------------------------------------ changes
    @rule(target=names, kind=st.sampled_from(SHAPES), value=st.integers(0, 5))
    def import_image(self, kind: tuple[str, tuple[int, ...]], value: int) -> str:
        axes, shape = kind
        pixels = np.full(shape, value, np.uint8)
        image, new = self.project.add_image(pixels, name=f"scan {value}", axes=axes)
        assert new == (image.id not in self.now.images)
        if new:
            self.now.images[image.id] = (pixels, Split.TRAIN)
            self._remember()
        return image.id

    @rule(kind=st.sampled_from(SHAPES), value=st.integers(0, 5))
    def killed_import(self, kind: tuple[str, tuple[int, ...]], value: int) -> None:
        """The process dies between the folder's rename and the commit."""
        axes, shape = kind
        pixels = np.full(shape, 9, np.uint8)
        name = f"scan {value}"
        with Project.open(self.project.path) as reader:
            if any(image.name == name for image in reader.images()):
                return
            record = _record(name.replace(" ", "-"), name, axes, shape)
        images.write_image(self.project.path, record, pixels)
        (self.project.path / "tmp" / "import-half").mkdir(exist_ok=True)

    @rule(name=st.sampled_from(TARGETS), prompt=st.sampled_from("ab"))
    def add_target(self, name: str, prompt: str) -> None:
        target = self.project.add_target(name, [prompt])
        self.now.targets.add(target.id)
        self._remember()

    @rule(
        name=names,
        finding=st.sampled_from(TARGETS),
        data=st.data(),
        status=st.sampled_from(MaskStatus),
        who=st.sampled_from(PEOPLE),
    )
    def save(
        self, name: str, finding: str, data: Any, status: MaskStatus, who: str
    ) -> None:
        identifier = self._target(finding)
        shape = self.project.image(name).spatial_shape
        array = data.draw(
            st.none() | npst.arrays(np.uint8, shape, elements=st.integers(0, 1))
        )
        standing = self.now.masks.get((name, identifier))
        contradicts = status is MaskStatus.EMPTY and array is not None and array.any()
        call = {
            "who": who,
            "status": status,
            "parent": standing and standing[0],
            "note": "look" if status is MaskStatus.FLAGGED else "",
        }
        if contradicts:
            with pytest.raises(BadInputError):
                self.project.save_mask(name, identifier, array, **call)
            return
        row = self.project.save_mask(name, identifier, array, **call)
        clears = status in (MaskStatus.EMPTY, MaskStatus.UNLABELLED)
        if array is None and not clears and standing is not None:
            array = standing[2]
        elif array is None:
            array = np.zeros(shape, np.uint8)
        self.now.masks[name, identifier] = (row.number, status, array)
        self._remember()

    @precondition(lambda self: self.now.masks)
    @rule(data=st.data(), back=st.integers(1, 5))
    def save_stale(self, data: Any, back: int) -> None:
        """Somebody else's revision is not overwritten, and nothing is written."""
        name, target = data.draw(st.sampled_from(sorted(self.now.masks)))
        standing = self.now.masks[name, target][0]
        stale = None if back == 5 else standing - back
        if stale is not None and stale < 1:
            return
        with pytest.raises(ConflictError) as caught:
            self.project.save_mask(
                name, target, None, status=MaskStatus.DONE, parent=stale
            )
        assert (caught.value.expected, caught.value.found) == (stale, standing)

    @rule(data=st.data())
    def restore(self, data: Any) -> None:
        number = data.draw(st.integers(1, self.project.position))
        row = self.project.ledger.revision(number)
        if row.status is None:
            return
        key = (row.image, row.target)
        back = self.project.restore(number, who="bob")
        _, status, array = self.past[number].masks[key]
        assert back.parent == self.now.masks[key][0]
        self.now.masks[key] = (back.number, status, array)
        self._remember()

    @rule(name=names, split=st.sampled_from(Split))
    def move(self, name: str, split: Split) -> None:
        self.project.update_image(name, split=split)
        self.now.images[name] = (self.now.images[name][0], split)
        self._remember()

    @precondition(lambda self: self.now.masks)
    @rule(data=st.data())
    def sign_off(self, data: Any) -> None:
        key = data.draw(st.sampled_from(sorted(self.now.masks)))
        number, status, array = self.now.masks[key]
        author = self.project.mask(*key).who
        other = next(person for person in PEOPLE if person != author)
        if not status.is_truth:
            with pytest.raises(BadInputError):
                self.project.sign_off(*key, who=other)
            return
        row = self.project.sign_off(*key, who=other)
        assert row.parent == number
        self.now.masks[key] = (row.number, status, array)
        self._remember()

    # ------------------------------------------------------------------- events
    @rule(data=st.data())
    def pin(self, data: Any) -> None:
        at = data.draw(st.integers(0, self.project.position))
        self.pins.append(Project.open(self.project.path, at=at))
        if len(self.pins) > 3:
            self.pins.pop(0).close()

    @rule(garbage=st.binary(max_size=5000), drop_shm=st.booleans())
    def crash(self, garbage: bytes, drop_shm: bool) -> None:
        """Go on with the files as they lie: nothing was closed or tidied up."""
        self.crashes += 1
        copy = self.home / f"p{self.crashes}"
        shutil.copytree(self.project.path, copy)
        log = copy / "ledger.sqlite-wal"
        if log.exists():
            # the frames of a commit that was not finished
            log.write_bytes(log.read_bytes() + garbage)
        if drop_shm:
            (copy / "ledger.sqlite-shm").unlink(missing_ok=True)
        for pin in self.pins:
            pin.close()
        self.pins.clear()
        old, self.project = self.project, Project.open(copy, mode="rw", who="ada")
        self._hurry()
        old.close()
        shutil.rmtree(old.path)
        assert list((copy / "tmp").iterdir()) == []

    @rule()
    def reopen(self) -> None:
        with pytest.raises(LockedError):
            Project.open(self.project.path, mode="rw")
        self.project.close()
        self.project = Project.open(self.project.path, mode="rw", who="ada")
        self._hurry()

    @rule()
    def verify(self) -> None:
        assert self.project.verify() == []

    # --------------------------------------------------------------- agreement
    @invariant()
    def the_newest_state_is_right(self) -> None:
        if hasattr(self, "project"):
            _agree(self.project, self.now)
            assert len(self.project.history()) == self.project.position

    @invariant()
    def every_pin_shows_its_own_moment(self) -> None:
        for pin in getattr(self, "pins", ()):
            _agree(pin, self.past[pin.position])

    def _target(self, name: str) -> str:
        target = self.project.add_target(name)
        if target.id not in self.now.targets:
            self.now.targets.add(target.id)
            self._remember()
        return target.id


def _record(identifier: str, name: str, axes: str, shape: tuple[int, ...]) -> Any:
    from src_core.types import Image

    spacing = (1.0,) * len(shape)
    return Image(identifier, name, "", axes, shape, "uint8", spacing)


def _agree(project: Project, expected: Expected) -> None:
    found = {image.id: image for image in project.images()}
    assert found.keys() == expected.images.keys()
    for name, (pixels, split) in expected.images.items():
        assert found[name].split == split
        np.testing.assert_array_equal(project.pixels(name)[...], pixels)
    assert {target.id for target in project.targets()} == expected.targets
    records = {(r.image, r.target): r for r in project.masks()}
    assert records.keys() == expected.masks.keys()
    for key, (number, status, array) in expected.masks.items():
        assert (records[key].revision, records[key].status) == (number, status)
        mask = project.mask(*key)
        assert (mask.revision, mask.status) == (number, status)
        np.testing.assert_array_equal(mask.read(), array)


QUICK = settings(
    max_examples=30,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
LONG = settings(QUICK, max_examples=400, stateful_step_count=50)


@pytest.mark.parametrize(
    "effort",
    [
        pytest.param(QUICK, id="quick"),
        pytest.param(LONG, id="long", marks=pytest.mark.slow),
    ],
)
def test_the_store_is_its_model(effort):
    run_state_machine_as_test(ProjectMachine, settings=effort)
