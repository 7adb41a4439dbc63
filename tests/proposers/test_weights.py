"""Where weights are looked for, what is refused, and that nothing is fetched."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from src_core.devices import Device
from src_core.errors import BadInputError
from src_core.proposers import PROPOSERS, fetch, find, load, own_folder
from src_core.proposers.base import View

CPU = Device(torch.device("cpu"), bf16=False)
COMMIT, OTHER = "a" * 40, "b" * 40
EVERY = pytest.mark.parametrize("kind", list(PROPOSERS))


def _into_cache(root, kind, folder, commit=COMMIT, main=True):
    """Lay a folder out as the hub's cache does."""
    name = "models--" + PROPOSERS[kind].home.hub_id.replace("/", "--")
    repository = root / "cache" / name
    shutil.copytree(folder, repository / "snapshots" / commit)
    (repository / "refs").mkdir(exist_ok=True)
    if main:
        (repository / "refs" / "main").write_text(commit)


@EVERY
def test_on_a_bare_machine_there_is_none(kind):
    assert find(kind) is None
    assert find(kind, revision=COMMIT) is None


@EVERY
def test_in_a_folder_of_ones_own(kind, tiny):
    shutil.copytree(tiny[kind], own_folder(kind))
    weights = find(kind)
    assert weights is not None
    assert weights.commit == ""
    assert weights.identity() == find(kind, tiny[kind]).identity()
    assert find(kind, revision=COMMIT) is None  # nobody knows which commit it is


@EVERY
@pytest.mark.parametrize(
    ("main", "revision", "found"),
    [(True, "", True), (False, "", False), (False, COMMIT, True), (True, OTHER, False)],
)
def test_in_the_cache_of_the_hub(kind, tiny, bare_machine, main, revision, found):
    _into_cache(bare_machine, kind, tiny[kind], main=main)
    weights = find(kind, revision=revision)
    assert (weights is not None) is found
    if weights is not None:
        assert weights.identity() == f"{kind}@{COMMIT[:12]}"
        assert load(weights, CPU).name == weights.identity()


@EVERY
def test_what_is_only_half_in_the_cache_is_not_there(kind, tiny, bare_machine):
    _into_cache(bare_machine, kind, tiny[kind])
    for path in bare_machine.rglob("model.safetensors"):
        path.unlink()
    assert find(kind) is None


def _without(name):
    return lambda folder: (folder / name).unlink()


def _pickled(folder):
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")


def _of_another_model(folder):
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))


@EVERY
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_without("config.json"), "no readable config.json"),
        (_of_another_model, "of another model"),
        (_pickled, "no safetensors"),
        (_without("preprocessor_config.json"), "no preprocessor_config.json"),
        (_without("tokenizer.json"), "no tokenizer"),
    ],
)
def test_a_folder_that_cannot_serve(kind, tiny, tmp_path, spoil, says):
    folder = shutil.copytree(tiny[kind], tmp_path / "copy")
    spoil(folder)
    with pytest.raises(BadInputError, match=says):
        find(kind, folder)


@EVERY
def test_a_damaged_file_is_named(kind, tiny, tmp_path):
    folder = shutil.copytree(tiny[kind], tmp_path / "copy")
    (folder / "model.safetensors").write_bytes(b"\x08" + bytes(30))
    with pytest.raises(BadInputError, match="cannot be loaded"):
        load(find(kind, folder), CPU)


@EVERY
def test_weights_that_are_not_all_there_are_not_made_up(kind, tiny, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny[kind], tmp_path / "copy")
    tensors = load_file(folder / "model.safetensors")
    tensors.pop(sorted(tensors)[0])
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInputError, match="of its weights are not there"):
        load(find(kind, folder), CPU)


@EVERY
def test_a_models_own_code_never_runs(kind, tiny, tmp_path):
    folder = shutil.copytree(tiny[kind], tmp_path / "copy")
    ran = tmp_path / "ran"
    (folder / "evil.py").write_text(
        f"open({str(ran)!r}, 'w')\nclass Model: pass\nclass Tokenizer: pass\n"
    )
    for name, keys in (
        ("config.json", {"AutoConfig": "evil.Model", "AutoModel": "evil.Model"}),
        ("tokenizer_config.json", {"AutoTokenizer": ["evil.Tokenizer", None]}),
    ):
        held = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**held, "auto_map": keys}))
    load(find(kind, folder), CPU)
    assert not ran.exists()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"size": 32},
        {"size": 32, "image_mean": [0.5], "image_std": [0.5]},
        {"size": "large", "image_mean": [0.5] * 3, "image_std": [0.5] * 3},
    ],
)
def test_a_preprocessor_that_says_nothing(tmp_path, settings):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(BadInputError, match="Fetch the model's files again"):
        View.read(tmp_path)


@pytest.mark.parametrize("size", [24, {"height": 24, "width": 24}])
def test_both_ways_to_write_a_preprocessor(tmp_path, size):
    inner = {"size": size, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (tmp_path / "processor_config.json").write_text(
        json.dumps({"image_processor": inner, "target_size": 24})
    )
    assert View.read(tmp_path) == View((24, 24), (0.5,) * 3, (0.25,) * 3, "bilinear")


@EVERY
@pytest.mark.parametrize("revision", ["", "main", "v1.0", "a" * 39])
def test_nothing_is_fetched_without_a_commit(kind, revision):
    with pytest.raises(BadInputError, match="name the commit that you trust"):
        fetch(kind, revision)


@EVERY
def test_what_is_fetched_is_that_commit_and_no_pickle(
    kind, tiny, bare_machine, monkeypatch
):
    import huggingface_hub

    asked = {}

    def give(hub_id, *, revision, allow_patterns):
        asked.update(hub_id=hub_id, revision=revision, patterns=allow_patterns)
        _into_cache(bare_machine, kind, tiny[kind], commit=revision, main=False)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", give)
    weights = fetch(kind, OTHER)
    assert weights.commit == OTHER
    assert asked["hub_id"] == PROPOSERS[kind].home.hub_id
    assert asked["revision"] == OTHER
    assert not any(p in ("*", "*.bin", "*.pt", "*.py") for p in asked["patterns"])


def test_a_hub_that_refuses_is_told_in_a_sentence(monkeypatch):
    import huggingface_hub

    def refuse(*arguments, **named):
        raise OSError("401 Client Error.\nmore")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(BadInputError, match=r"401 Client Error\. Check the commit"):
        fetch("sam3", COMMIT)


def test_an_unknown_proposer_is_told_which_there_are():
    with pytest.raises(BadInputError, match="choose one of clipseg, sam3"):
        find("medsam")
