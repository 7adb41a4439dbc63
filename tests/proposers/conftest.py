"""Tiny random proposers, saved to disk as the published ones are."""

from __future__ import annotations

import json
import string
from pathlib import Path

import pytest
import torch

WORDS = string.ascii_lowercase + string.digits
SPECIAL = ("<|startoftext|>", "<|endoftext|>")


def save_tokenizer(folder: Path) -> int:
    """Write a CLIP tokenizer that knows letters; return the size of its vocabulary."""
    from transformers import CLIPTokenizer

    tokens = [*WORDS, *(f"{c}</w>" for c in WORDS), *SPECIAL]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(folder)
    return len(tokens)


def _text(size: int, **more) -> dict:
    ends = {"bos_token_id": size - 2, "eos_token_id": size - 1, "pad_token_id": 1}
    tiny = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    return {
        **tiny,
        **ends,
        "vocab_size": size,
        "num_attention_heads": 2,
        "max_position_embeddings": 77,
        **more,
    }


def _save_view(folder: Path, side: int, mean: float, deviation: float) -> None:
    settings = {
        "size": {"height": side, "width": side},
        "image_mean": [mean] * 3,
        "image_std": [deviation] * 3,
        "resample": 2,
        "do_resize": True,
        "do_rescale": True,
        "do_normalize": True,
        "rescale_factor": 1 / 255,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))


def save_clipseg(folder: Path) -> Path:
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    folder.mkdir(parents=True)
    size = save_tokenizer(folder)
    vision = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 8,
    }
    config = CLIPSegConfig(
        text_config=_text(size),
        vision_config=vision,
        projection_dim=16,
        extract_layers=[1, 2, 3],
        reduce_dim=8,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=16,
    )
    torch.manual_seed(0)
    CLIPSegForImageSegmentation(config).save_pretrained(folder)
    _save_view(folder, 32, 0.45, 0.23)
    return folder


def save_sam3(folder: Path) -> Path:
    from transformers import Sam3Config
    from transformers.models.sam3.modeling_sam3 import Sam3Model

    folder.mkdir(parents=True)
    size = save_tokenizer(folder)
    tiny = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    backbone = {
        **tiny,
        "num_hidden_layers": 2,
        "image_size": 56,
        "patch_size": 14,
        "window_size": 2,
        "global_attn_indexes": [1],
        "pretrain_image_size": 28,
    }
    config = Sam3Config(
        vision_config={
            "backbone_config": {"model_type": "sam3_vit_model", **backbone},
            "fpn_hidden_size": 16,
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        },
        text_config={
            "model_type": "clip_text_model",
            **_text(size, projection_dim=16, max_position_embeddings=32),
        },
        geometry_encoder_config={**tiny, "num_layers": 1},
        detr_encoder_config={**tiny, "num_layers": 1},
        detr_decoder_config={**tiny, "num_layers": 1, "num_queries": 6},
        mask_decoder_config={"hidden_size": 16, "num_attention_heads": 2},
    )
    torch.manual_seed(0)
    Sam3Model(config).save_pretrained(folder)
    _save_view(folder, 56, 0.5, 0.5)
    return folder


MAKERS = {"clipseg": save_clipseg, "sam3": save_sam3}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Kind -> folder of a tiny model of that very class."""
    root = tmp_path_factory.mktemp("tiny")
    return {kind: make(root / kind) for kind, make in MAKERS.items()}


@pytest.fixture(autouse=True)
def bare_machine(tmp_path, monkeypatch):
    """A machine without weights and without a network."""
    import socket

    from huggingface_hub import constants

    monkeypatch.setenv("LGSSL_PROPOSERS", str(tmp_path / "own"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))

    def refuse(*arguments):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tmp_path
