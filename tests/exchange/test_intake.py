"""Files into a project: many at once, resumed, and nothing lost by a broken one."""

from __future__ import annotations

import json
import os
import sqlite3

import numpy as np
import pytest
from PIL import Image

from src_core.errors import BadInputError
from src_core.exchange import IntakeOptions, add_files, import_any, import_table
from src_core.exchange.crew import Crew
from src_core.exchange.intake import Intake
from src_core.imaging import Source
from src_core.store import Project
from src_core.types import MaskStatus, SourceKind
from src_core.types import Source as Drawn

RNG = np.random.default_rng(1)
INLINE = IntakeOptions(workers=1)
CREW = IntakeOptions(workers=2)


def pictures(folder, count, broken=()):
    folder.mkdir()
    for n in range(count):
        path = folder / f"{n:03d}.png"
        if n in broken:
            path.write_bytes(b"no picture")
        else:
            Image.fromarray(RNG.integers(0, 255, (9, 8), dtype=np.uint8)).save(path)
    return folder


def test_a_broken_file_is_named_and_the_rest_is_there(project, tmp_path):
    folder = pictures(tmp_path / "in", 8, broken=(3, 7))
    intake = add_files(project, [folder], who="ada", options=INLINE)
    assert (intake.added, intake.known) == (6, 0)
    assert [path for path, _ in intake.failed] == [
        str(folder / "003.png"),
        str(folder / "007.png"),
    ]
    assert all("could not be read" in reason for _, reason in intake.failed)
    assert len(project.images()) == 6
    assert project.verify() == []
    assert not list((project.path / "tmp").iterdir())
    assert intake.sentence == "6 images added, 2 files could not be used."


@pytest.mark.parametrize(
    ("intake", "sentence"),
    [
        (Intake(), "0 images added."),
        (Intake(1, 1, 1), "1 image added, 1 was there already, 1 mask imported."),
        (Intake(2, 3, 4), "2 images added, 3 were there already, 4 masks imported."),
        (Intake(failed=[("a", "b")]), "0 images added, 1 file could not be used."),
    ],
)
def test_what_was_taken_in_reads_as_a_sentence(intake, sentence):
    assert intake.sentence == sentence


def test_both_ways_give_the_same_project(tmp_path):
    path, _ = table(tmp_path, masks=3)
    (path.parent / "002.png").write_bytes(b"no picture")
    found = []
    for name, options in (("a", INLINE), ("b", CREW)):
        with Project.create(tmp_path / name) as project:
            intake = import_table(project, path, who="ada", options=options)
            assert (intake.added, intake.masks, len(intake.failed)) == (3, 4, 1)
            drawn = [(m.image, m.target, m.status) for m in project.masks()]
            images = [(i.id, i.name, i.sha256) for i in project.images()]
            found.append((images, drawn))
    assert found[0] == found[1]


def test_progress_reaches_the_end(project, tmp_path):
    folder = pictures(tmp_path / "in", 5, broken=(1,))
    seen = []
    options = IntakeOptions(notify=lambda done, total: seen.append((done, total)))
    add_files(project, [folder], who="ada", options=options)
    assert seen[0] == (0, 5)
    assert seen[-1] == (5, 5)
    assert seen == sorted(seen)


def reading(monkeypatch):
    """Return the list of files that are read from now on."""
    import src_core.exchange.decode as decode

    read, real = [], decode.read_image

    def watched(source, options):
        read.append(source.path.name)
        return real(source, options)

    monkeypatch.setattr(decode, "read_image", watched)
    return read


def test_a_stopped_import_goes_on(project, tmp_path, monkeypatch):
    folder = pictures(tmp_path / "in", 8)
    asked = iter([False, False, False, True])
    stopped = add_files(
        project,
        [folder],
        who="ada",
        options=IntakeOptions(should_stop=lambda: next(asked), workers=1),
    )
    assert stopped.added == 3
    assert not list((project.path / "tmp").iterdir())
    read = reading(monkeypatch)
    intake = add_files(project, [folder], who="ada", options=INLINE)
    assert (intake.added, intake.known) == (5, 3)
    assert read == [f"{n:03d}.png" for n in range(3, 8)]
    read.clear()
    again = add_files(project, [folder], who="ada", options=INLINE)
    assert (again.added, again.known, read) == (0, 8, [])


def test_a_file_that_changed_is_read_again(project, tmp_path, monkeypatch):
    folder = pictures(tmp_path / "in", 2)
    add_files(project, [folder], who="ada", options=INLINE)
    path = folder / "001.png"
    Image.fromarray(np.full((9, 8), 7, np.uint8)).save(path)
    os.utime(path, ns=(1, 1))
    read = reading(monkeypatch)
    intake = add_files(project, [folder], who="ada", options=INLINE)
    assert (intake.added, intake.known, read) == (1, 1, ["001.png"])


def test_without_its_memory_the_pixels_tell(project, tmp_path):
    folder = pictures(tmp_path / "in", 3)
    add_files(project, [folder], who="ada", options=INLINE)
    (project.cache_dir / "imported").unlink()
    intake = add_files(project, [folder], who="ada", options=INLINE)
    assert (intake.added, intake.known) == (0, 3)


def table(tmp_path, masks=4):
    """Four images in a table, with masks of two targets for the first ones."""
    folder = pictures(tmp_path / "in", 4)
    mask = np.zeros((9, 8), np.uint8)
    mask[2:5, 2:5], mask[6:8, 1:3] = 1, 2
    Image.fromarray(mask).save(folder / "mask.png")
    rows = ["image,mask,value,target,group"]
    for n in range(4):
        for value, target in ((1, "gland"), (2, "duct")):
            name = "mask.png" if n < masks else ""
            rows.append(f"{n:03d}.png,{name},{value if name else ''},{target},p{n}")
    (folder / "table.csv").write_text("\n".join(rows))
    return folder / "table.csv", mask


def test_a_table_with_masks(project, tmp_path):
    path, mask = table(tmp_path, masks=3)
    intake = import_table(project, path, who="ada", options=INLINE)
    assert (intake.added, intake.masks, intake.failed) == (4, 6, [])
    drawn = project.mask("000.png", "duct")
    np.testing.assert_array_equal(drawn.read(), mask == 2)
    assert drawn.status is MaskStatus.DONE
    assert project.mask("003.png", "duct") is None
    position = project.position
    again = import_table(project, path, who="ada", options=INLINE)
    assert (again.known, again.masks, again.failed) == (4, 0, [])
    assert project.position == position


def test_new_masks_of_known_images_are_taken(project, tmp_path, monkeypatch):
    path, mask = table(tmp_path, masks=1)
    import_table(project, path, who="ada", options=INLINE)
    path.write_text(
        path.read_text().replace("003.png,,,duct", "003.png,mask.png,2,duct")
    )
    read = reading(monkeypatch)
    intake = import_table(project, path, who="ada", options=INLINE)
    assert (intake.known, intake.masks, read) == (4, 1, [])
    np.testing.assert_array_equal(project.mask("003.png", "duct").read(), mask == 2)


def test_a_mask_that_differs_is_kept_as_it_is(project, tmp_path):
    path, mask = table(tmp_path)
    import_table(project, path, who="ada", options=INLINE)
    Image.fromarray(255 - mask).save(path.with_name("other.png"))
    path.write_text("image,mask,value,target\n000.png,other.png,255,gland")
    intake = import_table(project, path, who="ada", options=INLINE)
    assert "differs from" in intake.failed[0][1]
    np.testing.assert_array_equal(project.mask("000.png", "gland").read(), mask == 1)


def test_a_mask_is_replaced_if_that_is_wanted_and_can_come_back(project, tmp_path):
    path, mask = table(tmp_path, masks=1)
    import_table(project, path, who="ada", options=INLINE)
    first = project.mask("000.png", "gland").revision
    drawn = project.save_mask(
        "000.png", "gland", mask == 2, status=MaskStatus.FLAGGED, note="?", parent=first
    )
    again = IntakeOptions(workers=1, replace=True)
    intake = import_table(project, path, who="bob", options=again)
    assert (intake.masks, intake.replaced, intake.failed) == (0, 1, [])
    assert intake.sentence.endswith("1 mask replaced.")
    stands = project.mask("000.png", "gland")
    assert stands.status is MaskStatus.DONE
    np.testing.assert_array_equal(stands.read(), mask == 1)
    project.restore(drawn.number)
    np.testing.assert_array_equal(project.mask("000.png", "gland").read(), mask == 2)


@pytest.mark.parametrize("agrees", [True, False])
def test_a_proposal_gives_way_to_a_mask_from_elsewhere(project, tmp_path, agrees):
    path, mask = table(tmp_path)
    add_files(project, [path.with_name("000.png")], who="ada", options=INLINE)
    gland = project.add_target("gland").id
    guess = (mask == 1) if agrees else (mask == 2)
    model = Drawn(SourceKind.MODEL, model="v1", prompt="gland")
    proposed = project.save_mask(
        "000.png", gland, guess, status=MaskStatus.PROPOSED, source=model
    )
    intake = import_table(project, path, who="ada", options=INLINE)
    assert (intake.masks, intake.failed) == (8, [])
    stands = project.mask("000.png", gland)
    assert stands.status is MaskStatus.DONE
    np.testing.assert_array_equal(stands.read(), mask == 1)
    taken = project.ledger.revision(stands.revision)
    assert (taken.source.kind, taken.parent) == (SourceKind.IMPORT, proposed.number)


def test_nothing_to_read_is_said(project, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match="No picture was found"):
        add_files(project, [tmp_path / "empty"], who="ada")


# ------------------------------------------------------------ series in time
@pytest.fixture
def film(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    values = RNG.integers(0, 99, (4, 5, 3, 6)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "film.nii.gz")
    return tmp_path / "film.nii.gz", values


@pytest.mark.parametrize(
    ("take", "numbers"),
    [("first", [0]), ("middle", [3]), ("all", range(6)), ("5", [5]), ("9", [])],
)
def test_what_is_taken_of_a_film(project, film, take, numbers):
    path, values = film
    add_files(project, [path], who="ada", options=IntakeOptions(take=take))
    images = sorted(project.images(), key=lambda image: image.name)
    assert [i.name for i in images] == [f"film.nii.gz volume={n}" for n in numbers]
    for image, number in zip(images, numbers, strict=True):
        found = project.pixels(image)[...]
        np.testing.assert_array_equal(found, values[..., number].T)


def test_a_film_is_not_taken_unasked(project, film):
    intake = add_files(project, [film[0]], who="ada")
    assert project.images() == []
    [(_, reason)] = intake.failed
    assert "6 pictures" in reason
    assert "--take" in reason


def test_one_volume_may_be_named(project, film):
    path, values = film
    add_files(project, [Source.of(f"{path}#volume=2")], who="ada")
    (image,) = project.images()
    np.testing.assert_array_equal(project.pixels(image)[...], values[..., 2].T)


def test_a_word_that_says_nothing_is_refused(project, film):
    with pytest.raises(BadInputError, match="use all, first, middle or a number"):
        add_files(project, [film[0]], who="ada", options=IntakeOptions(take="some"))


# ------------------------------------------------------------- other processes
def crash_on_three(number):
    if number == 3:
        os._exit(9)
    return number * 2


def crashed(number):
    return -number


def test_a_crash_costs_one_result_only():
    with Crew(crash_on_three, crashed, workers=2) as crew:
        found = list(crew.run(range(9), 9))
    assert found == [(n, -3 if n == 3 else 2 * n) for n in range(9)]


def test_no_name_of_a_file_is_remembered(project, tmp_path):
    folder = pictures(tmp_path / "Erika Muster", 2)
    add_files(project, [folder], who="ada", options=INLINE)
    kept = (project.cache_dir / "imported").read_text()
    assert len(kept.splitlines()) == 2
    assert "Muster" not in kept


# -------------------------------------------------------------------- nnU-Net
def nnunet(root, about, channels=1):
    nibabel = pytest.importorskip("nibabel")

    def save(path, values):
        path.parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(values, np.diag([2.0, 2.0, 3.0, 1.0])), path)

    labels = np.zeros((5, 4, 3), np.uint8)
    labels[1], labels[2], labels[3] = 1, 2, 3
    for case in ("a", "b"):
        for channel in range(channels):
            values = RNG.integers(0, 99, labels.shape).astype(np.int16)
            save(root / "imagesTr" / f"{case}_{channel:04d}.nii.gz", values)
        save(root / "labelsTr" / f"{case}.nii.gz", labels)
    save(root / "imagesTs" / "t_0000.nii.gz", labels.astype(np.int16) + 7)
    (root / "dataset.json").write_text(json.dumps(about))
    return labels.transpose(2, 1, 0)


def test_an_nnunet_folder(project, tmp_path):
    labels = nnunet(
        tmp_path / "set",
        {
            "channel_names": {"0": "CT"},
            "labels": {"background": 0, "liver": 1, "tumour": 2, "both": [1, 2]},
            "file_ending": ".nii.gz",
        },
    )
    intake = import_any(project, tmp_path / "set", who="ada", options=INLINE)
    assert (intake.added, intake.masks, intake.failed) == (3, 6, [])
    assert {t.name for t in project.targets()} == {"liver", "tumour", "both"}
    found = project.mask("a_0000.nii.gz", "both").read()
    np.testing.assert_array_equal(found, (labels == 1) | (labels == 2))
    splits = {image.name: str(image.split) for image in project.images()}
    assert splits["t_0000.nii.gz"] == "test"
    assert splits["a_0000.nii.gz"] == "train"


def test_channels_of_one_case_are_one_image(project, tmp_path):
    about = {
        "modality": {"0": "T1", "1": "T2"},
        "labels": {"0": "background", "3": "left_ventricle"},
    }
    nnunet(tmp_path / "set", about, channels=2)
    import_any(project, tmp_path / "set" / "dataset.json", who="ada", options=INLINE)
    image = project.image("a_0000.nii.gz")
    assert (image.axes, image.shape) == ("czyx", (2, 3, 4, 5))
    assert project.target("left ventricle").name == "left ventricle"


def test_cases_with_ignored_voxels_are_not_finished(project, tmp_path):
    about = {"labels": {"background": 0, "liver": 1, "ignore": 3}}
    nnunet(tmp_path / "set", about)
    import_any(project, tmp_path / "set", who="ada", options=INLINE)
    status = project.mask("a_0000.nii.gz", "liver").status
    assert status is MaskStatus.IN_PROGRESS


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({}, "names no 'labels'"),
        ({"labels": {"background": 0}}, "no label but the background"),
        ({"labels": {"liver": "x"}}, "no whole number"),
    ],
)
def test_a_bad_dataset_json(project, tmp_path, about, message):
    nnunet(tmp_path / "set", about)
    with pytest.raises(BadInputError, match=message):
        import_any(project, tmp_path / "set", who="ada")


def test_a_folder_of_pictures_is_no_truth(project, tmp_path):
    pictures(tmp_path / "in", 1)
    with pytest.raises(BadInputError, match="says of no image what is in it"):
        import_any(project, tmp_path / "in", who="ada")


def test_the_ledger_knows_who_imported(project, tmp_path):
    add_files(project, [pictures(tmp_path / "in", 1)], who="grace", options=INLINE)
    assert project.history()[0].who == "grace"
    with sqlite3.connect(project.path / "ledger.sqlite") as ledger:
        assert ledger.execute("PRAGMA integrity_check").fetchone() == ("ok",)
