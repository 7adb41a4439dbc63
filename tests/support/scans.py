"""Scans and what is drawn in them: NIfTI in any orientation, and a DICOM series."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.exchange import IntakeOptions, add_files
from src_core.types import MaskStatus

nibabel = pytest.importorskip("nibabel")

RNG = np.random.default_rng(9)
ONE = IntakeOptions(workers=1)
RAS = np.array([[0.5, 0, 0, -30], [0, 0.75, 0, 11], [0, 0, 2, 40], [0, 0, 0, 1.0]])
CODES = ["RAS", "LPS", "LAS", "PIR"]
OBLIQUE = "oblique"

SCAN = RNG.integers(-900, 900, (7, 6, 4)).astype(np.int16)
DRAWN = np.zeros(SCAN.shape, np.uint8)
DRAWN[1:4, 2:5, 1:3] = 1
DRAWN[1, 2, 1] = 0

VOLUME = RNG.integers(0, 3000, (5, 6, 7)).astype(np.uint16)
LIVER = np.zeros(VOLUME.shape, np.uint8)
LIVER[1:4, 2:5, 1:4] = 1
LIVER[1, 2, 1] = 0


def stored_as(code):
    """The same scan and mask, (x, y, z), in voxels that run as the code says."""
    image = nibabel.Nifti1Image(SCAN, RAS)
    mask = nibabel.Nifti1Image(DRAWN, RAS)
    if code == OBLIQUE:
        cos, sin = np.cos(0.4), np.sin(0.4)
        turn = np.eye(4)
        turn[1:3, 1:3] = [[cos, -sin], [sin, cos]]
        return nibabel.Nifti1Image(SCAN, turn @ RAS), DRAWN
    there = nibabel.orientations.axcodes2ornt(tuple(code))
    way = nibabel.orientations.ornt_transform(nibabel.io_orientation(RAS), there)
    turned = mask.as_reoriented(way)
    return image.as_reoriented(way), np.asarray(turned.dataobj)


def world(mask, affine):
    """Places in R, A, S of a mask's voxels (x, y, z), sorted."""
    at = np.argwhere(np.asarray(mask) != 0)
    places = np.c_[at, np.ones(len(at))] @ np.asarray(affine).T
    return np.array(sorted(np.round(places[:, :3], 3).tolist()))


def with_mask(project, path, mask, target="tumour"):
    """Import an image and save a mask over the axes that it is stored with."""
    add_files(project, [path], who="ada", options=ONE)
    (image,) = project.images()
    found = project.add_target(target)
    project.save_mask(image.id, found.id, mask, status=MaskStatus.DONE)
    return image
