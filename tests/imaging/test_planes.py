"""What the network is shown: the way up, the window, the neighbours, the memory."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from src_core.config import FrameSettings
from src_core.errors import BadInputError
from src_core.imaging import Turn
from src_core.imaging.planes import Planes
from src_core.imaging.windows import (
    PRESETS,
    guess_modality,
    preset_for,
    preset_named,
    window_of_target,
    windows_by_wording,
)
from src_core.types import Target

ALL = [
    "".join(letters)
    for order in itertools.permutations(["LR", "PA", "SI"])
    for letters in itertools.product(*order)
]
RNG = np.random.default_rng(3)
SCAN = RNG.integers(-1000, 1500, (7, 20, 24)).astype(np.int16)  # z to S, y to P, x to L
SPACING = (3.0, 1.0, 1.0)
OLD = FrameSettings(size=32, tiles=False)
NEW = FrameSettings(size=32, tiles=False, standing=True, slabs=True, windows={})


def stored(letters):
    """The same scan, stored another way."""
    turn = Turn("SPL", letters)
    like = SimpleNamespace(
        orientation=letters, spacing=turn.along(SPACING), modality="CT"
    )
    return np.ascontiguousarray(turn.show(SCAN)), like


@given(letters=st.sampled_from(ALL), window=st.sampled_from(["", *PRESETS]))
def test_however_it_is_stored_the_network_sees_the_same(letters, window):
    first, there = stored("SPL")
    pixels, like = stored(letters)
    expected = Planes(first, "zyx", NEW, there)
    found = Planes(pixels, "zyx", NEW, like)
    assert len(found) == len(expected) == 7
    for n in (0, 3, 6):
        one, other = expected.picture(n, window), found.picture(n, window)
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert one.mean == pytest.approx(other.mean)
        assert one.deviation == pytest.approx(other.deviation)


@given(letters=st.sampled_from(ALL))
def test_what_is_written_lands_where_it_belongs(letters):
    pixels, like = stored(letters)
    planes = Planes(pixels, "zyx", NEW, like)
    out, shown = planes.blank(np.int16)
    for n in range(len(planes)):
        shown[n] = SCAN[n]
    np.testing.assert_array_equal(out, pixels)
    np.testing.assert_array_equal(planes.show(pixels), SCAN)


@pytest.mark.parametrize("letters", ["SPL", "IAR", "LSP", "PLS"])
@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_from_the_disk_as_from_memory(tmp_path, letters, chunk):
    pixels, like = stored(letters)
    array = zarr.create_array(
        str(tmp_path / "a"), data=pixels, chunks=(chunk, *pixels.shape[1:])
    )
    lazy = Planes(array, "zyx", NEW, like)
    whole = Planes(pixels, "zyx", NEW, like)
    for n in (3, 0, 6, 2):
        one, other = lazy.picture(n, "bone"), whole.picture(n, "bone")
        np.testing.assert_array_equal(one.pixels, other.pixels)


class Watched:
    """An array that remembers the largest part that was asked of it."""

    def __init__(self, array, chunks):
        self.array, self.shape, self.chunks = array, array.shape, chunks
        self.most = 0

    def __getitem__(self, key):
        part = self.array[key]
        self.most = max(self.most, part.size)
        return part


def test_a_volume_on_the_disk_is_never_read_as_a_whole():
    large = np.zeros((64, 8, 8), np.int16)
    source = Watched(large, (4, 8, 8))
    like = SimpleNamespace(orientation="SPL", spacing=SPACING, modality="CT")
    planes = Planes(source, "zyx", NEW, like)
    for n in range(len(planes)):
        planes.picture(n, "lung")
    assert source.most == 4 * 8 * 8


def test_neighbours_are_channels_and_edges_repeat():
    _, like = stored("SPL")
    planes = Planes(SCAN, "zyx", NEW, like)
    bottom, top = PRESETS["bone"]
    scaled = ((SCAN - bottom) / (top - bottom)).clip(0, 1) * 255
    for n, near in ((0, (0, 0, 1)), (3, (2, 3, 4)), (6, (5, 6, 6))):
        found = planes.picture(n, "bone").pixels
        expected = np.stack([scaled[k] for k in near])
        np.testing.assert_allclose(found, expected, atol=0.51)


def test_a_volume_is_windowed_as_a_whole():
    """An empty slice stays dark, where slice by slice its noise would be white."""
    volume = np.zeros((5, 16, 16), np.uint16)
    volume[0] = RNG.integers(0, 9, (16, 16))
    volume[2, 4:12, 4:12] = 4000
    apart = Planes(volume, "zyx", OLD).picture(0).pixels
    whole = Planes(volume, "zyx", NEW).picture(0).pixels
    assert apart.max() == 255
    assert whole.max() <= 1


def test_versions_of_earlier_programs_see_what_they_saw():
    from src_core.imaging.prepare import prepare

    pixels, like = stored("IAR")
    planes = Planes(pixels, "zyx", OLD, like)
    assert planes.window_for("lung") == ""
    for n in range(len(planes)):
        expected = prepare(pixels[n], "yx", OLD)
        np.testing.assert_array_equal(planes.picture(n).pixels, expected.pixels)


@pytest.mark.parametrize(
    ("stored_as", "stands"),
    [
        ("PL", "PL"),
        ("AR", "PL"),
        ("LP", "PL"),
        ("IL", "IL"),
        ("RS", "IL"),
        ("SA", "IP"),
    ],
)
def test_flat_images_stand_too(stored_as, stands):
    upright = SCAN[0]
    pixels = np.ascontiguousarray(Turn(stands, stored_as).show(upright))
    like = SimpleNamespace(orientation=stored_as, spacing=(1.0, 1.0), modality="")
    planes = Planes(pixels, "yx", NEW, like)
    alone = Planes(upright, "yx", NEW)
    np.testing.assert_array_equal(planes.picture(0).pixels, alone.picture(0).pixels)
    out, shown = planes.blank(np.int16)
    shown[0] = upright
    np.testing.assert_array_equal(out, pixels)


def test_colours_are_not_windowed():
    colours = RNG.integers(0, 200, (3, 4, 8, 8), dtype=np.uint8)
    for frame in (OLD, NEW):
        found = Planes(colours, "czyx", frame).picture(2).pixels
        np.testing.assert_array_equal(found, colours[:, 2])


# --------------------------------------------------------------------- windows
@pytest.mark.parametrize(
    ("words", "preset"),
    [
        ("left lung", "lung"),
        ("Ground-glass opacity, right lower lobe", "lung"),
        ("fourth rib", "bone"),
        ("intracranial haemorrhage", "brain"),
        ("liver", "soft tissue"),
        ("ribbon", "soft tissue"),
    ],
)
def test_words_choose_a_window(words, preset):
    assert preset_for(words) == preset


def test_a_person_chooses_otherwise():
    liver = Target("liver", "liver", ("the liver",), window="bone")
    assert window_of_target(liver) == "bone"
    wordings = windows_by_wording([liver, Target("lung", "Left  Lung")])
    assert wordings == {"the liver": "bone", "liver": "bone", "left lung": "lung"}
    frame = NEW.model_copy(update={"windows": wordings})
    like = SimpleNamespace(orientation="", spacing=SPACING, modality="CT")
    planes = Planes(SCAN, "zyx", frame, like)
    assert planes.window_for(" The LIVER ") == "bone"
    assert planes.window_for("a rib") == "bone"
    assert planes.window_for("spleen") == "soft tissue"
    other = SimpleNamespace(orientation="", spacing=SPACING, modality="MR")
    assert Planes(SCAN, "zyx", frame, other).window_for("the liver") == ""


@pytest.mark.parametrize(
    ("said", "meant"), [("Soft-Tissue", "soft tissue"), ("LUNG", "lung"), ("", "")]
)
def test_names_of_windows(said, meant):
    assert preset_named(said) == meant


def test_a_window_that_there_is_not():
    with pytest.raises(BadInputError, match="lung, soft tissue, bone, brain"):
        preset_named("liver")


def ct(air=0.3, tissue=0.6):
    values = np.full(8000, 900)
    values[: int(8000 * air)] = -1000
    values[int(8000 * air) : int(8000 * (air + tissue))] = 40
    return (values + RNG.integers(-30, 30, 8000)).astype(np.int16).reshape(20, 20, 20)


@pytest.mark.parametrize(
    ("pixels", "modality"),
    [
        (ct(), "CT"),
        (ct(air=0.6, tissue=0.2), "CT"),
        (ct().astype(np.float32) + 0.25, "CT"),
        (np.pad(ct(), 9, constant_values=-3024), "CT"),
        (ct(air=0.0), ""),
        (RNG.integers(-3142, 3142, (20, 20, 20)), ""),  # phases of MRI, times 1000
        (RNG.integers(0, 4000, (20, 20, 20)), ""),
        (RNG.normal(size=(20, 20, 20)), ""),
        (ct()[0], ""),
    ],
    ids=["body", "thorax", "real", "padded", "cropped", "phase", "mr", "z", "flat"],
)
def test_hounsfield_units_are_known_by_their_values(pixels, modality):
    assert guess_modality(pixels) == modality


# ------------------------------------------------------- training sees the same
def test_what_is_learned_from_is_what_is_asked(tmp_path):
    """Every picture of the pool is one that `Planes` shows, with its own targets."""
    from src_core.rounds.snapshot import choose_frame, pool_items
    from src_core.store import Project
    from src_core.train import Pool
    from src_core.types import MaskStatus, Split

    pixels, like = stored("IAR")
    drawn = np.ascontiguousarray(Turn("SPL", "IAR").show(SCAN > 700)).astype(np.uint8)
    with Project.create(tmp_path / "p") as project:
        image, _ = project.add_image(
            pixels,
            name="scan",
            axes="zyx",
            spacing=like.spacing,
            unit="millimeter",
            orientation="IAR",
            modality="CT",
        )
        rib, lung = project.add_target("rib"), project.add_target("lung")
        project.save_mask(image.id, rib.id, drawn, status=MaskStatus.DONE)
        frame = choose_frame(project, FrameSettings())
        assert (frame.standing, frame.slabs) == (True, True)
        assert frame.windows == {"rib": "bone", "lung": "lung"}
        train = frozenset({Split.TRAIN})
        items = list(pool_items(project, frozenset(), train, frame))
        targets = project.targets()
    assert [item.asked for item in items[:2]] == [{lung.id}, {rib.id}]
    bones = [item for item in items if rib.id in item.truth]
    planes = Planes(pixels, "zyx", frame, like)
    for n, item in enumerate(bones):
        expected = planes.picture(n, "bone")
        np.testing.assert_array_equal(item.picture.pixels, expected.pixels)
        np.testing.assert_array_equal(item.truth[rib.id], SCAN[n] > 700)
    pool = Pool(items, targets, frame.size)
    # the bone window is never asked for the lung, nor the lung's for a rib
    assert len(pool) == 14
    at = {target.id: t for t, target in enumerate(pool.targets)}
    assert (pool.rows[:, at[rib.id]] >= 0).sum() == 7
    assert len(pool.unlabelled) == 7
    assert set(pool.unlabelled.tolist()).isdisjoint(pool.labelled.tolist())
