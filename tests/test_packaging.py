"""What is shipped, what it asks for, and what it costs to import."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
NAME = "lgssl-napari"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PINS = {
    canonicalize_name(name): Version(version)
    for name, version in re.findall(
        r"^([\w.-]+)==(.+)$",
        (ROOT / "constraints.txt").read_text("utf-8"),
        re.MULTILINE,
    )
}
# A CUDA build of torchvision beside a CPU torch breaks it, and timm brings torchvision.
UNWANTED = re.compile(r"torchvision|timm|segmentation-models-pytorch|nvidia-.*")


def declared(extra: str | None) -> list[Requirement]:
    """Return what the base or one extra asks for, with the extras it is made of."""
    lines = (
        PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    )
    wanted: list[Requirement] = []
    for requirement in map(Requirement, lines):
        if canonicalize_name(requirement.name) == NAME:
            for part in requirement.extras:
                wanted += declared(part)
        else:
            wanted.append(requirement)
    return wanted


def installed(requirements: list[Requirement]) -> set[str]:
    """Return the names of all that these bring along here, by their own metadata."""
    waiting, seen = [(r.name, frozenset(r.extras)) for r in requirements], set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        # The CUDA build's libraries differ with the machine: nothing to pin.
        if canonicalize_name(name) == "torch" and "+cpu" not in metadata.version(name):
            continue
        for needed in map(Requirement, metadata.requires(name) or ()):
            worlds = [{"extra": extra} for extra in ("", *extras)]
            if needed.marker is None or any(map(needed.marker.evaluate, worlds)):
                waiting.append((needed.name, frozenset(needed.extras)))
    return {canonicalize_name(name) for name, _ in seen}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, as pip would build it."""
    folder = tmp_path_factory.mktemp("wheel")
    builder = WheelBuilder(str(ROOT))
    return Path(next(builder.build(directory=str(folder), versions=["standard"])))


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel installed: of pure Python, it only has to be unpacked."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.mark.parametrize(
    "path",
    [
        "lgssl_napari/napari.yaml",
        "lgssl_napari/py.typed",
        "sample_data/table.csv",
        "src_core/py.typed",
    ],
)
def test_the_wheel_carries_the_file(unpacked, path):
    assert (unpacked / path).read_bytes() == (ROOT / path).read_bytes()


def test_the_wheel_carries_every_sample_picture(unpacked):
    pictures = {path.relative_to(ROOT) for path in ROOT.glob("sample_data/**/*.png")}
    assert pictures
    assert pictures == {p.relative_to(unpacked) for p in unpacked.rglob("*.png")}


def test_the_wheel_carries_nothing_else(unpacked):
    version = PROJECT["version"]
    assert {path.name for path in unpacked.iterdir()} == {
        "lgssl_napari",
        "sample_data",
        "src_core",
        f"lgssl_napari-{version}.dist-info",
    }
    assert not [p for p in unpacked.rglob("*") if p.suffix == ".pyc"]


def test_napari_finds_a_valid_manifest_in_the_wheel(unpacked, tmp_path):
    script = (
        "import lgssl_napari, npe2; print(lgssl_napari.__file__);"
        f"npe2.PluginManifest.from_distribution('{NAME}').validate_imports()"
    )
    # The first on the path is found, before an installation of the same name.
    answer = run([sys.executable, "-c", script], tmp_path, PYTHONPATH=str(unpacked))
    assert Path(answer.strip()).is_relative_to(unpacked)


@pytest.mark.parametrize("extra", [None, "all"])
def test_no_library_is_asked_for_that_breaks_the_cpu_build_of_torch(extra):
    names = {canonicalize_name(r.name) for r in declared(extra)}
    assert names
    assert not {name for name in names if UNWANTED.fullmatch(name)}


def test_no_such_library_is_pinned():
    assert not {name for name in PINS if UNWANTED.fullmatch(name)}


def test_constraints_are_plain_pins():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) == len(PINS)
    assert not [name for name, version in PINS.items() if version.local]


@pytest.mark.parametrize("extra", [None, "all", "test"])
def test_the_pins_satisfy_what_is_asked_for(extra):
    for requirement in declared(extra):
        pin = PINS[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin), requirement


@pytest.mark.skipif(
    sys.platform != "linux" or sys.version_info[:2] != (3, 11),
    reason="the pins are complete for Linux with Python 3.11",
)
def test_all_that_is_installed_along_is_pinned():
    everything = declared(None) + declared("test")
    try:
        names = installed(everything)
    except metadata.PackageNotFoundError as missing:
        pytest.skip(f"not the tests' own environment: {missing.name} is not installed")
    assert len(names) > len(everything)
    assert names <= PINS.keys()


@pytest.mark.parametrize("module", ["src_core", "src_core.cli", "src_core.cli.app"])
def test_importing_the_core_is_cheap(module):
    heavy = "{'napari', 'PyQt6', 'qtpy', 'torch', 'transformers'}"
    script = f"import sys, {module}; print(*sorted({heavy} & sys.modules.keys()))"
    assert run([sys.executable, "-c", script], ROOT).split() == []


@pytest.mark.parametrize("program", PROJECT["scripts"])
def test_every_program_answers_help(program, tmp_path):
    answer = run([str(Path(sys.executable).parent / program), "--help"], tmp_path)
    assert "Usage" in answer
    assert program in answer


def run(command: list[str], folder: Path, **environment: str) -> str:
    """Run a program in a folder, and return what it prints."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
