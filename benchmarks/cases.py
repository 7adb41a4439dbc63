"""The data sets of the benchmarks and how much of each is labelled."""

from __future__ import annotations

import csv
import json
import random
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COLUMNS = ("image", "mask", "value", "target", "prompt", "caption", "group", "split")


@dataclass(frozen=True, slots=True)
class Case:
    """A data set of ``LGSSL_DATA`` with some of its training groups labelled.

    Attributes
    ----------
    name : str
    folder : str
        Below the data folder; a zip for QaTa-COV19.
    share : float
        Of the training groups (patients, volumes, pictures) that are labelled.
    groups : int
        Instead of a share: so many groups.
    """

    name: str
    folder: str
    share: float = 1.0
    groups: int = 0


ACDC, ATRIUM = "acdc_cardiac_mri", "la_atrium_mri"
DSB, KVASIR, MONUSEG = "dsb2018_nuclei", "kvasir_polyp", "monuseg_lvit"
QATA = "qata_cov19.zip"
CASES = {
    case.name: case
    for case in (
        Case("acdc-5", ACDC, 0.05),
        Case("acdc-10", ACDC, 0.1),
        Case("acdc-20", ACDC, 0.2),
        Case("acdc-100", ACDC),
        Case("la-4", ATRIUM, groups=4),
        Case("la-8", ATRIUM, groups=8),
        Case("la-16", ATRIUM, groups=16),
        Case("la-80", ATRIUM),
        Case("dsb-10", DSB, 0.1),
        Case("dsb-100", DSB),
        Case("kvasir-10", KVASIR, 0.1),
        Case("kvasir-100", KVASIR),
        Case("monuseg-25", MONUSEG, 0.25),
        Case("monuseg-100", MONUSEG),
        Case("qata-5", QATA, 0.05),
        Case("qata-25", QATA, 0.25),
        Case("qata-100", QATA),
    )
}


def write_table(case: Case, data: Path, seed: int, out: Path) -> list[str]:
    """Write the import table of a case; return the labelled groups.

    Every mask of the validation and the test split is there; of the training split
    those of the labelled groups, drawn by the seed.
    """
    source = data / case.folder
    if source.suffix == ".zip":
        source = _unpack_qata(source, out.parent / "qata")
    meta: dict[str, Any] = json.loads((source / "meta.json").read_text())
    groups, splits = meta["groups"], meta["splits"]
    order = sorted({groups[name] for name in splits["train"]})
    random.Random(seed).shuffle(order)
    labelled = order[: case.groups or max(1, round(case.share * len(order)))]
    with out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for split, names in splits.items():
            for name in names:
                has_mask = split != "train" or groups[name] in set(labelled)
                mask = source / "masks" / name if has_mask else ""
                image = source / "images" / meta.get("files", {}).get(name, name)
                for value, kind in meta["classes"].items():
                    prompts = "|".join(kind["prompts"])
                    row = [image, mask, value, kind["name"], prompts]
                    caption = meta["captions"].get(name, "")
                    writer.writerow([*row, caption, groups[name], split])
    return labelled


def _unpack_qata(archive: Path, folder: Path) -> Path:
    """Unpack QaTa-COV19 into the layout of the other data sets."""
    with zipfile.ZipFile(archive) as packed:
        names = packed.namelist()
        for name in names:
            parts = Path(name).parts
            if parts[0] in ("images", "masks") and not name.endswith("/"):
                target = folder / parts[0] / f"{parts[1]}_{parts[2]}"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(packed.read(name))
        text = packed.read("captions.csv").decode()
    captions, splits, files = {}, {}, {}
    for row in csv.DictReader(text.splitlines()):
        name = row["stem"].replace("/", "_") + ".png"
        captions[name] = row["caption"]
        splits.setdefault(row["split"], []).append(name)
        files[name] = name.removesuffix(".png") + ".webp"
    meta = {
        "classes": {
            "1": {
                "name": "pulmonary infection",
                "prompts": ["pulmonary infection", "infected area of the lungs"],
            }
        },
        "captions": captions,
        "groups": {name: name for names in splits.values() for name in names},
        "splits": splits,
        "files": files,
    }
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder
