"""Model versions on disk: whole or not at all, and nothing but safetensors."""

from __future__ import annotations

import json

import pytest
import torch

from src_core.checkpoints import (
    ModelCard,
    list_models,
    load_card,
    load_model,
    load_tensors,
    next_version,
    save_model,
    save_tensors,
)
from src_core.config import ModelSettings, load_settings
from src_core.errors import BadInputError, CorruptError, NotFoundError


def _card(version="v1", **changes):
    plain = {
        "version": version,
        "created": "2026-01-01T00:00:00+00:00",
        "position": 3,
        "settings": ModelSettings(seed=5),
        "targets": ["lung"],
        "labelled": 1,
        "unlabelled": 2,
        "steps": 3,
        "seconds": 4.0,
    }
    return ModelCard(**(plain | changes))


WEIGHTS = {"a": torch.randn(3, 2), "steps": torch.tensor(7)}


def test_a_version_comes_back_as_it_was(tmp_path):
    save_model(tmp_path, WEIGHTS, _card())
    card, weights = load_model(tmp_path / "v1")
    assert card == _card()
    assert all(torch.equal(weights[k], v) for k, v in WEIGHTS.items())
    assert {p.suffix for p in (tmp_path / "v1").iterdir()} == {".safetensors", ".json"}


def test_versions_are_numbered_and_never_overwritten(tmp_path):
    assert next_version(tmp_path) == "v1"
    for number in (1, 2, 10):
        save_model(tmp_path, WEIGHTS, _card(f"v{number}"))
    assert [card.version for card in list_models(tmp_path)] == ["v1", "v2", "v10"]
    assert next_version(tmp_path) == "v11"
    with pytest.raises(OSError, match="v2"):
        save_model(tmp_path, WEIGHTS, _card("v2"))


def test_a_damaged_or_empty_version_keeps_its_number_and_hides_no_other(tmp_path):
    for number in (1, 2):
        save_model(tmp_path, WEIGHTS, _card(f"v{number}"))
    (tmp_path / "v1" / "model.json").write_text("{")
    (tmp_path / "v7").mkdir()
    assert [card.version for card in list_models(tmp_path)] == ["v2"]
    assert next_version(tmp_path) == "v8"


def test_a_version_of_an_older_program_can_still_be_read(tmp_path):
    folder = save_model(tmp_path, WEIGHTS, _card())
    file = folder / "model.json"
    stored = json.loads(file.read_text())
    stored["settings"]["train"]["a_setting_of_the_past"] = 3
    stored["another"] = {"x": 1}
    file.write_text(json.dumps(stored))
    assert load_card(folder) == _card()


def test_a_half_written_version_is_invisible(tmp_path):
    partial = tmp_path / ".v1.99.partial"
    partial.mkdir()
    (partial / "model.json").write_text("{}")
    assert list_models(tmp_path) == []


def test_missing_and_damaged_versions_are_sentences(tmp_path):
    with pytest.raises(NotFoundError, match="no model version 'v9'"):
        load_card(tmp_path / "v9")
    folder = save_model(tmp_path, WEIGHTS, _card())
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:30])
    with pytest.raises(CorruptError, match=r"weights\.safetensors"):
        load_model(folder)
    (folder / "model.json").write_text("{")
    with pytest.raises(CorruptError, match=r"model\.json"):
        load_card(folder)


def test_tensors_carry_their_note(tmp_path):
    path = tmp_path / "x.safetensors"
    save_tensors(path, WEIGHTS, {"step": 3, "best": None})
    tensors, meta = load_tensors(path)
    assert meta == {"step": 3, "best": None}
    assert torch.equal(tensors["a"], WEIGHTS["a"])
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"sed": 1}', "sed"),
        ('{"train": {"batch": 0}}', "train.batch"),
        ('{"net": {"widths": [0, 8, 8, 8, 8]}}', "net.widths.0"),
        ("[", "the file"),
    ],
)
def test_bad_settings_name_the_key(tmp_path, text, named):
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(BadInputError, match=named):
        load_settings(path)
