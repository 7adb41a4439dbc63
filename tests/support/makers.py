"""A small file of every format, for tests that hold for all of them."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from src_core.imaging import write_mask

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 20), dtype=np.uint8)


def make_raster(path):
    Image.fromarray(PIXELS).save(path)


def make_nifti(path):
    pytest.importorskip("nibabel")
    write_mask(path, PIXELS > 99)


def make_mgh(path):
    nibabel = pytest.importorskip("nibabel")
    volume = PIXELS.T[..., None].copy()
    nibabel.save(nibabel.MGHImage(volume, np.diag([1.0, 1.0, 2.0, 1.0])), path)


def make_itk(path):
    itk = pytest.importorskip("SimpleITK")
    image = itk.GetImageFromArray(PIXELS[None])
    image.SetSpacing((0.5, 0.25, 2.0))
    itk.WriteImage(image, str(path), useCompression=True)


def make_slide(path):
    pytest.importorskip("tiffslide")
    colours = np.stack([PIXELS, 255 - PIXELS, PIXELS // 2], axis=-1)
    tifffile.imwrite(
        path,
        np.tile(colours, (4, 4, 1)),
        tile=(32, 32),
        photometric="rgb",
        description="Aperio Image Library v1\r\n80x96 |AppMag = 20|MPP = 0.5",
        metadata=None,
    )


def make_dicom(path):
    pydicom = pytest.importorskip("pydicom")
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    data.Rows, data.Columns = PIXELS.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelData = PIXELS.tobytes()
    data.save_as(path, enforce_file_format=True)


def make_zarr(path):
    scale = {"axes": [{"name": "y"}, {"name": "x"}], "datasets": [{"path": "0"}]}
    about = {"ome": {"version": "0.5", "multiscales": [scale]}}
    zarr.create_group(str(path), attributes=about).create_array("0", data=PIXELS)


MAKERS = {
    "a.png": make_raster,
    "a.jpg": make_raster,
    "a.bmp": make_raster,
    "a.webp": make_raster,
    "a.tif": lambda path: tifffile.imwrite(path, PIXELS, metadata=None),
    "a.nii": make_nifti,
    "a.nii.gz": make_nifti,
    "a.mgz": make_mgh,
    "a.mha": make_itk,
    "a.nrrd": make_itk,
    "a.svs": make_slide,
    "a.dcm": make_dicom,
    "a.zarr": make_zarr,
}
PART = {"a.svs": "tile=0,0,0,24"}
"""What must be said of a file to read a picture from it, where it holds many."""
