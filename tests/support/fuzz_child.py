"""Reads hundreds of damaged copies of one file, in a process of its own with limits.

    python fuzz_child.py NAME COUNT SEED FOLDER

Prints one JSON object: how many gave an image and how many a sentence, the largest
memory taken, and any outcome that is neither. A crash or a hang ends the process
instead, which whoever started it sees.
"""

from __future__ import annotations

import json
import random
import resource
import shutil
import signal
import sys
import warnings
from pathlib import Path

from makers import MAKERS, PART, PIXELS, make_dicom

MEMORY = 6 << 30
SECONDS = 30.0
"""Of processor time, for one file."""


def compressed(syntax):
    """Return a maker of a DICOM file with this compression."""

    def make(path):
        import numpy as np
        import pydicom

        make_dicom(path)
        data = pydicom.dcmread(path)
        # large enough for JPEG 2000 to divide it
        pixels = np.tile(PIXELS, (4, 4))
        data.Rows, data.Columns = pixels.shape
        if syntax == pydicom.uid.JPEGBaseline8Bit:
            import io

            from PIL import Image
            from pydicom.encaps import encapsulate

            held = io.BytesIO()
            Image.fromarray(pixels).save(held, "JPEG")
            data.PixelData = encapsulate([held.getvalue()])
            data["PixelData"].is_undefined_length = True
            data.file_meta.TransferSyntaxUID = syntax
        else:
            data.compress(syntax, pixels)
        data.save_as(path)

    return make


def makers():
    from pydicom import uid

    return MAKERS | {
        "rle.dcm": compressed(uid.RLELossless),
        "j2k.dcm": compressed(uid.JPEG2000Lossless),
        "jls.dcm": compressed(uid.JPEGLSLossless),
        "jpg.dcm": compressed(uid.JPEGBaseline8Bit),
        "deflated.dcm": deflated,
    }


def deflated(path):
    import pydicom

    make_dicom(path)
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    data.save_as(path)


def damaged(raw, chance):
    """Flip bits, cut the end off, take out the middle, or put bytes in."""
    data = bytearray(raw)
    for _ in range(chance.choice([1, 1, 2, 8, 40])):
        # headers are where it hurts: half the hits go there
        end = min(len(data), chance.choice([200, 1000, len(data)]))
        at = chance.randrange(end)
        kind = chance.random()
        if kind < 0.5:
            data[at] ^= 1 << chance.randrange(8)
        elif kind < 0.8:
            data[at] = chance.choice([0, 1, 127, 128, 255, chance.randrange(256)])
        else:
            data[at : at + 4] = chance.choice([b"\0\0\0\0", b"\xff" * 4, b"\x7f" * 4])
    if chance.random() < 0.2:
        cut = chance.randrange(len(data))
        del data[cut : chance.choice([len(data), cut + chance.randrange(1, 40)])]
    if chance.random() < 0.1:
        at = chance.randrange(len(data) + 1)
        data[at:at] = bytes(chance.randrange(256) for _ in range(chance.choice([1, 9])))
    return bytes(data)


def damage(path, pristine, chance):
    """Put a damaged copy of `pristine` at `path`."""
    if pristine.is_file():
        path.write_bytes(damaged(pristine.read_bytes(), chance))
        return
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(pristine, path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    for file in chance.sample(files, chance.choice([1, 1, len(files)])):
        file.write_bytes(damaged(file.read_bytes() or b"\0", chance))


def main(name, count, seed, folder):
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    from src_core.errors import UserError
    from src_core.imaging import ReadOptions, Source, find_sources, read_image

    pristine, path = folder / f"whole-{name}", folder / name
    makers()[name](pristine)
    part = PART.get(name, "")
    chance = random.Random(f"{name} {seed}")
    told = {"images": 0, "sentences": 0, "other": []}
    for number in range(count):
        damage(path, pristine, chance)
        # its default is to end the process, which no library can swallow
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            picture = read_image(Source(path, part), ReadOptions(salt="s"))
            assert picture.pixels.size
            told["images"] += 1
        except UserError as error:
            sentence = str(error)
            told["sentences"] += 1
            if name not in sentence or not sentence.endswith("."):
                told["other"].append([number, sentence])
        except BaseException as error:
            told["other"].append([number, f"{type(error).__name__}: {error}"])
        find_sources([folder])
        signal.setitimer(signal.ITIMER_PROF, 0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({**told, "peak_mib": peak // 1024}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
