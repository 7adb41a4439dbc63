"""Two rounds on real cardiac MRI through the window alone, Dice on its test split.

::

    LGSSL_DATA=/path/to/data xvfb-run -a -s "-screen 0 1366x768x24" \
        python tests/lgssl_napari/drive_acdc.py --out /tmp/pictures --minutes 3

A table of the images is dropped on the empty panel: a few patients have masks, the
others none. After the first round each image that the panel proposes is accepted,
corrected and saved with the panel's keys; the corrections are what an expert drew,
given to the layer as napari's brush gives them. Then the second round. Printed in the
end: Dice of both versions on the test split, by ``lgssl evaluate``.

The images may not be passed on: the pictures stay out of the project.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from driver import Driver, close, open_driver

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = ["image", "mask", "value", "target", "prompt", "caption", "group", "split"]
ROOT = Path(__file__).parents[2]


class Expert:
    """Knows the truth of every image.

    Parameters
    ----------
    folder : Path
        Of the data set, with ``meta.json``, ``images`` and ``masks``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.meta: dict[str, Any] = json.loads((folder / "meta.json").read_text())
        self.values = {
            about["name"]: int(value) for value, about in self.meta["classes"].items()
        }

    def truth(self, image: str, target: str) -> NDArray[np.uint8]:
        """Return what an expert drew, 0 and 1."""
        from PIL import Image

        labels = np.array(Image.open(self.folder / "masks" / image))
        return (labels == self.values[target]).astype(np.uint8)

    def write_table(self, path: Path, share: float, seed: int) -> int:
        """Write the table of an import; return how many patients have masks."""
        groups = self.meta["groups"]
        patients = sorted({groups[name] for name in self.meta["splits"]["train"]})
        random.Random(seed).shuffle(patients)
        known = set(patients[: max(1, round(share * len(patients)))])
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(COLUMNS)
            for split, names in self.meta["splits"].items():
                for name in names:
                    shown = split != "train" or groups[name] in known
                    for value, about in self.meta["classes"].items():
                        mask = str(self.folder / "masks" / name) if shown else ""
                        image = str(self.folder / "images" / name)
                        words = "|".join(about["prompts"])
                        caption = self.meta["captions"].get(name, "")
                        target = [about["name"], words, caption, groups[name], split]
                        rows.writerow([image, mask, value, *target])
        return len(known)


def drop(drive: Driver, path: Path) -> None:
    """Drop a file on the panel."""
    from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
    from qtpy.QtGui import QDropEvent

    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    event = QDropEvent(
        QPointF(50, 50),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    drive.panel.dropEvent(event)


def press_choice(drive: Driver, label: str) -> None:
    """Press a button of the open question."""
    button = next(b for b in drive.panel.strip.buttons if b.text() == label)
    drive.click(button)


def correct(drive: Driver, expert: Expert, picture: str) -> None:
    """Accept the proposal, correct it and save; the next image opens."""
    work = drive.state.work
    image, target = work.image.name, work.target.name
    drive.until(lambda: drive.state.answer is not None)
    if picture:
        drive.shot(f"{picture}-proposal")
    if drive.state.answer.shown:
        drive.key("k")
        drive.idle()
    truth = expert.truth(image, target)
    layer = drive.panel._viewer.layers.selection.active
    wrong = np.nonzero((layer.data != 0) != (truth != 0))
    if wrong[0].size:
        layer.data_setitem(wrong, truth[wrong])
    drive.pause(0.3)
    if picture:
        drive.shot(f"{picture}-corrected")
    drive.key("w" if truth.any() else "0")
    drive.pause(0.2)
    if drive.state.question is not None:
        label = "Remove them" if not truth.any() else "It is not there"
        press_choice(drive, label)
    drive.until(
        lambda: (
            drive.state.work.image is not None
            and (drive.state.work.image.name, drive.state.work.target.name)
            != (image, target)
        )
    )
    drive.idle()


def evaluate(project: Path, version: str) -> dict[str, Any]:
    """Return the scores of a version on the test split, as the command line has it."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from src_core.cli import main; main()"),
            *("evaluate", str(project), "--split", "test"),
            *("--version", version, "--json"),
        ],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    scores: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return {
        "mean": scores["mean"]["dice"],
        **{name: score["dice"] for name, score in scores["targets"].items()},
    }


def main() -> None:
    """Drive, print, and leave."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--images", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    if ROOT in wanted.out.resolve().parents:
        raise SystemExit("These images may not be passed on: choose another folder.")
    data = os.environ.get("LGSSL_DATA", str(ROOT / "../shared/data"))
    expert = Expert(Path(data) / "acdc_cardiac_mri")
    drive, home = open_driver(wanted.out, asks_where=False)
    table = Path(home) / "acdc" / "table.csv"
    table.parent.mkdir()
    patients = expert.write_table(table, wanted.share, wanted.seed)
    drive.until(lambda: drive.state.tour)
    drive.click(drive.panel.tour.end)
    with drive.watch.step("drop a table of 396 images"):
        drop(drive, table)
        press_choice(drive, "Make it")
        drive.until(lambda: drive.state.work.image, 1200)
        drive.idle()
    drive.shot("01-opened")
    project = drive.state.project.path
    rounds = [drive.retrain(wanted.minutes, "02-training", "first training")]
    drive.tab("Label")
    drive.panel.mask.follow.setChecked(True)
    drive.key("n")
    drive.until(lambda: drive.state.work.target is not None)
    drive.idle()
    with drive.watch.step("correcting"):
        for number in range(wanted.images):
            correct(drive, expert, f"{3 + number:02d}" if number < 3 else "")
    rounds.append(drive.retrain(wanted.minutes, "06-training", "second training"))
    drive.shot("07-after")
    drive.tab("Results")
    drive.until(lambda: drive.state.judgement is not None)
    drive.pause(1.0)
    drive.shot("08-results")
    drive.click(drive.panel.judge.beside)
    drive.until(lambda: drive.state.comparing)
    drive.shot("09-side-by-side")
    versions = [found["version"] for found in rounds]
    effort = [
        (e.number, e.images, round(e.minutes_an_image, 3), e.dice)
        for e in drive.state.judgement.efforts
    ]
    drive.panel.controller.close()
    told = {
        "patients with masks": patients,
        "corrected": wanted.images,
        "rounds": rounds,
        "test": {version: evaluate(project, version) for version in versions},
        "effort": effort,
    }
    close(drive, home, told)


if __name__ == "__main__":
    main()
