"""DICOM: values in the scanner's units, place, pseudonyms, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import dicoms
from src_core.errors import BadInputError
from src_core.imaging import ReadOptions, read_image

pydicom = pytest.importorskip("pydicom")

STORED = np.arange(20, dtype=np.uint16).reshape(4, 5) * 100


def save(path, stored=STORED, **tags):
    dicoms.save(path, stored, **tags)


VALUES = [
    ("plain", STORED, {}, STORED, np.uint16),
    (
        "hounsfield",
        STORED,
        {"RescaleSlope": "1", "RescaleIntercept": "-1024"},
        STORED.astype(int) - 1024,
        np.int16,
    ),
    (
        "fraction",
        STORED,
        {"RescaleSlope": "0.5", "RescaleIntercept": "3"},
        STORED * 0.5 + 3,
        np.float32,
    ),
    (
        "inverted",
        STORED,
        {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12, "HighBit": 11},
        4095 - STORED,
        np.uint16,
    ),
    (
        "inverted signed",
        STORED.astype(np.int16) - 1000,
        {"PhotometricInterpretation": "MONOCHROME1"},
        -1 - (STORED.astype(int) - 1000),
        np.int16,
    ),
    (
        "colour",
        np.stack([STORED // 10] * 3, 2).astype(np.uint8),
        {},
        np.stack([STORED // 10] * 3),
        np.uint8,
    ),
]


@pytest.mark.parametrize(
    ("name", "stored", "tags", "expected", "dtype"), VALUES, ids=[v[0] for v in VALUES]
)
def test_values(tmp_path, name, stored, tags, expected, dtype):
    save(tmp_path / "a.dcm", stored, **tags)
    picture = read_image(tmp_path / "a.dcm")
    np.testing.assert_array_equal(picture.pixels, expected)
    assert picture.pixels.dtype == dtype
    assert picture.axes == ("cyx" if stored.ndim == 3 else "yx")


PLACES = [
    ({}, "", (1.0, 1.0), "pixel", (0.0, 0.0)),
    ({"PixelSpacing": [0.5, 0.25]}, "", (0.5, 0.25), "millimeter", (0.0, 0.0)),
    ({"ImagerPixelSpacing": [0.1, 0.2]}, "", (0.1, 0.2), "millimeter", (0.0, 0.0)),
    (
        {
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            "ImagePositionPatient": [-10, -20, 30],
        },
        "PL",
        (1.0, 1.0),
        "pixel",
        (-20.0, -10.0),
    ),
    (
        {
            "ImageOrientationPatient": [0, 1, 0, 0, 0, -1],
            "ImagePositionPatient": [-10, -20, 30],
        },
        "IP",
        (1.0, 1.0),
        "pixel",
        (30.0, -20.0),
    ),
    ({"PatientOrientation": ["L", "F"]}, "IL", (1.0, 1.0), "pixel", (0.0, 0.0)),
    ({"PatientOrientation": ["P", "F"]}, "IP", (1.0, 1.0), "pixel", (0.0, 0.0)),
]


@pytest.mark.parametrize(("tags", "orientation", "spacing", "unit", "origin"), PLACES)
def test_place(tmp_path, tags, orientation, spacing, unit, origin):
    save(tmp_path / "a.dcm", **tags)
    picture = read_image(tmp_path / "a.dcm")
    assert picture.orientation == orientation
    assert picture.spacing == pytest.approx(spacing)
    assert picture.unit == unit
    assert picture.origin == pytest.approx(origin)


def test_a_patient_becomes_a_pseudonym_and_leaves_no_trace(tmp_path):
    person = {
        "PatientID": "4711-SECRET",
        "PatientName": "Musterfrau^Erika",
        "PatientBirthDate": "19640812",
    }
    for name, number in (("a", "4711-SECRET"), ("b", "4711-SECRET"), ("c", "4712")):
        save(tmp_path / f"{name}.dcm", **person | {"PatientID": number})
    one, same, other = (
        read_image(tmp_path / f"{n}.dcm", ReadOptions(salt="project")) for n in "abc"
    )
    assert one.group == same.group != other.group
    assert one.group.startswith("patient-")
    elsewhere = read_image(tmp_path / "a.dcm", ReadOptions(salt="another project"))
    assert elsewhere.group != one.group
    told = repr(dataclasses.asdict(one)).lower()
    assert not any(word in told for word in ("4711", "erika", "muster", "1964"))


def test_without_a_salt_one_process_still_groups_a_patient(tmp_path):
    save(tmp_path / "a.dcm", PatientID="1")
    save(tmp_path / "b.dcm")
    first = read_image(tmp_path / "a.dcm")
    assert first.group == read_image(tmp_path / "a.dcm").group != ""
    assert read_image(tmp_path / "b.dcm").group == ""


def test_a_file_without_suffix_is_known_by_its_mark(tmp_path):
    save(tmp_path / "IM000001")
    np.testing.assert_array_equal(read_image(tmp_path / "IM000001").pixels, STORED)


def without(name):
    def spoil(path):
        data = pydicom.dcmread(path)
        del data[name]
        data.save_as(path)

    return spoil


def cut(path):
    path.write_bytes(path.read_bytes()[:-7])


BAD = [
    ("no picture", {}, without("PixelData"), "without a picture"),
    ("frames", {"NumberOfFrames": 3}, None, "3 frames"),
    ("cut off", {}, cut, "could not be read as DICOM"),
    ("bomb", {"Rows": 60000, "Columns": 60000}, None, "GiB decoded"),
]


@pytest.mark.parametrize(
    ("name", "tags", "spoil", "message"), BAD, ids=[b[0] for b in BAD]
)
def test_refused(tmp_path, name, tags, spoil, message):
    path = tmp_path / "a.dcm"
    save(path, **tags)
    if spoil:
        spoil(path)
    with pytest.raises(BadInputError, match=message):
        read_image(path)
