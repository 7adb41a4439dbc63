"""What napari is told: the manifest, its menus and its sample data."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("npe2")
ROOT = Path(__file__).parents[2]
SAMPLES = {
    "chest": ((192, 192), False),
    "slide": ((192, 192, 3), True),
    "cell": ((660, 550), False),
    "immunohistochemistry": ((512, 512, 3), True),
    "retina": ((1411, 1411, 3), True),
}


def manifest():
    from npe2 import PluginManifest

    return PluginManifest.from_file(ROOT / "lgssl_napari" / "napari.yaml")


def test_the_manifest_at_the_top_is_the_packages_own() -> None:
    top, own = ROOT / "napari.yaml", ROOT / "lgssl_napari" / "napari.yaml"
    # A checkout without symbolic links holds the link's target as text.
    assert top.read_text() in (own.read_text(), "lgssl_napari/napari.yaml")


def test_the_installed_manifest_is_valid_and_all_of_it_can_be_imported() -> None:
    found = entry_points(group="napari.manifest")
    if "lgssl-napari" not in found.names:
        pytest.skip("the package is not installed here")
    done = subprocess.run(
        [sys.executable, "-m", "npe2", "validate", "--imports", "lgssl-napari"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "valid!" in done.stdout


def test_the_panel_is_in_the_menus_where_people_look() -> None:
    menus = manifest().contributions.menus
    for menu in ("napari/layers/segment", "napari/layers/annotate"):
        assert menus[menu][0].command == "lgssl-napari.panel"
    files = {item.command for item in menus["napari/file/io_utilities"]}
    assert files >= {"lgssl-napari.open", "lgssl-napari.try"}


def test_every_command_is_there_and_every_menu_names_one() -> None:
    from importlib import import_module

    from napari._app_model.constants._menus import is_menu_contributable

    contributed = manifest().contributions
    known = {command.id for command in contributed.commands}
    for command in contributed.commands:
        module, name = command.python_name.split(":")
        assert callable(getattr(import_module(module), name)), command.id
    for menu, items in contributed.menus.items():
        assert is_menu_contributable(menu), menu
        assert {item.command for item in items} <= known


def test_every_sample_is_a_picture() -> None:
    from lgssl_napari import samples

    contributed = {sample.key for sample in manifest().contributions.sample_data}
    assert contributed == set(SAMPLES)
    for key, (shape, rgb) in SAMPLES.items():
        [(pixels, about, kind)] = getattr(samples, key)()
        assert kind == "image"
        assert (pixels.shape, pixels.dtype) == (shape, np.uint8)
        assert about.get("rgb", False) == rgb
        assert about["name"]
