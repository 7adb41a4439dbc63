"""What a large scan takes in memory, and how fast files are taken in.

    python benchmarks/formats.py [--slices 600] [--files 2000] [--folder DIR]

Prints two tables and leaves nothing behind. The first: the largest memory of each
command that a CT of 512 x 512 x 600 goes through, in a process of its own. The second:
images a second of an import, which hashes, compresses and keeps each image durably,
beside plain loops of tifffile and pydicom that only decode, and beside a loop that
keeps what it decodes in a plain zarr folder, neither hashed nor durable.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIDE, LIMIT = 512, 2048
"""Pixels; MiB that nothing may need more than."""

PROMPT = "liver"
PROGRAM = "from src_core.cli import main; main()"


# ----------------------------------------------------------------------- memory
def scan(slices: int) -> np.ndarray:
    """A body in air with an organ in it, in Hounsfield units: (z, y, x) int16."""
    y, x = np.ogrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    body, organ = (x / 0.8) ** 2 + (y / 0.6) ** 2 < 1, (x + 0.3) ** 2 + y**2 < 0.06
    plane = np.where(body, np.where(organ, 60, -20), -1000).astype(np.int16)
    noise = np.random.default_rng(0).integers(-15, 15, (8, SIDE, SIDE), np.int16)
    volume = np.empty((slices, SIDE, SIDE), np.int16)
    for z in range(slices):
        volume[z] = plane + noise[z % 8]
    return volume


def write_nifti(path: Path, volume: np.ndarray) -> None:
    import nibabel

    affine = np.diag([-0.8, -0.8, 1.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(volume.T, affine), path)


def write_series(folder: Path, volume: np.ndarray) -> None:
    folder.mkdir()
    for z, plane in enumerate(volume):
        data = dicom(plane, series="1.2.826.0.1.3680043.8.498.1", number=z)
        data.ImagePositionPatient = [0, 0, float(z)]
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.PixelSpacing = [0.8, 0.8]
        data.save_as(folder / f"{z:04d}.dcm", enforce_file_format=True)


def dicom(plane: np.ndarray, series: str, number: int) -> Any:
    """A CT slice with the least that DICOM asks for."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = CTImageStorage
    data.SOPInstanceUID = f"{series}.{number + 1}"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498", series
    data.Modality, data.PatientID, data.InstanceNumber = "CT", "1", number + 1
    data.Rows, data.Columns = plane.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
    data.PixelRepresentation = 1
    data.PixelData = plane.astype("<i2").tobytes()
    return data


def make_version(folder: Path) -> int:
    """Promote an untrained network: it costs what a trained one costs."""
    from src_core.checkpoints import ModelCard, save_model
    from src_core.config import ModelSettings
    from src_core.methods import method_class
    from src_core.rounds import promote
    from src_core.rounds.snapshot import choose_frame
    from src_core.store import Project
    from src_core.text import load_encoder

    with Project.open(folder, mode="rw", who="benchmark") as project:
        target = project.add_target(PROMPT, (PROMPT,))
        settings = ModelSettings()
        width = load_encoder(settings.text).width
        net = settings.net.model_copy(update={"text_width": width})
        frame = choose_frame(project, settings.frame)
        settings = settings.model_copy(update={"net": net, "frame": frame})
        card = ModelCard(
            version="v1",
            created="",
            position=project.position,
            settings=settings,
            targets=[target.id],
            labelled=0,
            unlabelled=0,
            steps=0,
            seconds=0,
        )
        weights = method_class(settings.method).build(settings).state_dict()
        save_model(project.models_dir, weights, card)
        promote(project, "v1", who="benchmark", reason="to be measured")
    return frame.size


def measured(*command: str | Path) -> tuple[float, float]:
    """Run a command of the program: seconds, and the most MiB that it held."""
    line = [sys.executable, "-c", PROGRAM, *map(str, command)]
    started = time.perf_counter()
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(line, stdout=told, stderr=told)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            told.seek(0)
            raise SystemExit(told.read().decode())
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def memory(home: Path, slices: int, console: Console) -> bool:
    """Take one scan in, predict it, and write the mask out; whether all fit."""
    volume = scan(slices)
    write_nifti(home / "scan.nii.gz", volume)
    write_series(home / "series", volume)
    size = volume.nbytes / 2**20
    del volume
    project, mask = home / "project", home / "mask.nii.gz"
    other = home / "other"
    measured("init", project)
    measured("init", other)
    steps: dict[str, tuple[str | Path, ...]] = {
        "add the NIfTI file": ("add", project, home / "scan.nii.gz"),
        f"add the DICOM series of {slices} files": ("add", other, home / "series"),
    }
    table = Table("command", "seconds", "most MiB", f"goal {LIMIT}")
    rows = [(what, *measured(*command)) for what, command in steps.items()]
    side = make_version(project)
    ask = ("predict", project, "scan.nii.gz", "--prompt", PROMPT, "--anyway", "--out")
    what = f"predict {slices} slices at {side}², write the mask"
    rows.append((what, *measured(*ask, mask)))
    for what, seconds, most in rows:
        told = "fits" if most < LIMIT else "DOES NOT FIT"
        table.add_row(what, f"{seconds:.1f}", f"{most:.0f}", told)
    console.print(f"CT of {SIDE} x {SIDE} x {slices}, {size:.0f} MiB of int16:")
    console.print(table)
    return all(most < LIMIT for _, _, most in rows)


# ------------------------------------------------------------------------- rate
def write_tiffs(folder: Path, count: int) -> None:
    import tifffile

    folder.mkdir()
    for n, plane in enumerate(planes(count)):
        tifffile.imwrite(folder / f"{n:05d}.tif", plane, compression="zlib")


def write_dicoms(folder: Path, count: int) -> None:
    folder.mkdir()
    for n, plane in enumerate(planes(count)):
        data = dicom(plane, series=f"1.2.826.0.1.3680043.8.498.{n + 1}", number=0)
        data.save_as(folder / f"{n:05d}.dcm", enforce_file_format=True)


def planes(count: int) -> Iterator[np.ndarray]:
    """Pictures of 256 x 256, all different, as smooth and as noisy as a scan."""
    rng = np.random.default_rng(1)
    y, x = np.ogrid[0:256, 0:256]
    for n in range(count):
        smooth = 400 * np.sin(x / (20 + n % 17)) * np.cos(y / (15 + n % 13))
        yield (smooth + rng.integers(0, 60, (256, 256))).astype(np.int16)


def tifffile_loop(files: list[Path], keep: Callable[[np.ndarray], None]) -> None:
    import tifffile

    for file in files:
        keep(tifffile.imread(file))


def pydicom_loop(files: list[Path], keep: Callable[[np.ndarray], None]) -> None:
    import pydicom

    for file in files:
        keep(pydicom.dcmread(file).pixel_array)


class PlainZarr:
    """Keeps arrays in a folder of zarr arrays, as a script would."""

    def __init__(self, folder: Path) -> None:
        import zarr

        self._group, self._count = zarr.open_group(str(folder), mode="w"), 0

    def __call__(self, pixels: np.ndarray) -> None:
        self._group.create_array(str(self._count), data=pixels, chunks=pixels.shape)
        self._count += 1


def take_in(folder: Path, files: Path, count: int, workers: int | None) -> None:
    from src_core.exchange import IntakeOptions, add_files
    from src_core.store import Project

    with Project.create(folder, who="benchmark") as project:
        options = IntakeOptions(workers=workers)
        found = add_files(project, [files], who="benchmark", options=options)
    if found.added != count:
        raise SystemExit(f"{found.sentence} {found.failed[:1]}")


def seconds_of(work: Callable[..., None], *given: Any) -> float:
    started = time.perf_counter()
    work(*given)
    return time.perf_counter() - started


def rates(home: Path, count: int, console: Console) -> None:
    """Import files of two kinds, and let plain loops read the same ones."""
    table = Table("files", "what", "images/s", "times the plain loop")
    kinds = {
        "TIFF": (write_tiffs, tifffile_loop, "tifffile"),
        "DICOM": (write_dicoms, pydicom_loop, "pydicom"),
    }
    for name, (write, loop, library) in kinds.items():
        folder = home / name
        write(folder, count)
        files = sorted(folder.iterdir())
        loop(files[:20], len)  # imports, and the first pages of the disk
        plain = seconds_of(loop, files, len)
        kept = seconds_of(loop, files, PlainZarr(home / f"{name}.zarr"))
        one = seconds_of(take_in, home / f"{name}1", folder, count, 1)
        many = seconds_of(take_in, home / f"{name}N", folder, count, None)
        rows = {
            f"plain loop of {library}, decoded and dropped": plain,
            "the same, kept in a plain zarr folder": kept,
            "import, one process": one,
            f"import, {os.cpu_count()} cores": many,
        }
        for what, seconds in rows.items():
            table.add_row(
                name, what, f"{count / seconds:.0f}", f"{plain / seconds:.2f}"
            )
    console.print(f"{count} files of 256 x 256 x 16 bit:")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--slices", type=int, default=600)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--only", choices=["memory", "rates"])
    parser.add_argument("--folder", type=Path, help="on the disk to be measured")
    given = parser.parse_args()
    console = Console(width=100)
    fits = True
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        if given.only != "rates":
            fits = memory(Path(folder), given.slices, console)
        if given.only != "memory":
            rates(Path(folder), given.files, console)
    raise SystemExit(0 if fits else 1)


if __name__ == "__main__":
    main()
