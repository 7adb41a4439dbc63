"""The prompt adapter and the fusion, against a slow reference in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from src_core.nets import PromptAdapter, PromptCodes, TextVisionFusion

K, L, D, M, G, E, C = 3, 5, 12, 4, 6, 10, 16


@pytest.fixture
def adapter(seeded):
    return PromptAdapter(D, M, G, E).double()


@pytest.fixture
def text():
    rng = torch.Generator().manual_seed(3)
    tokens = torch.randn(K, L, D, generator=rng, dtype=torch.float64)
    mask = torch.arange(L)[None] < torch.tensor([[5], [3], [1]])
    return tokens * mask[..., None], mask


def _slow_text(adapter, tokens, mask):
    """Learned queries attend to real tokens; unit length times sqrt(D); + residual."""
    rows = []
    queries = adapter.queries.detach().numpy()
    keys = adapter.keys.weight.detach().numpy()
    for row, real in zip(tokens.numpy(), mask.numpy(), strict=True):
        seen = row[real]
        readings = []
        for query in queries:
            score = np.array([query @ (keys @ token) for token in seen]) / np.sqrt(D)
            weight = np.exp(score - score.max())
            mean = (weight / weight.sum()) @ seen
            readings.append(mean / np.linalg.norm(mean) * np.sqrt(D))
        rows.append(readings)
    plain = torch.tensor(np.array(rows))
    return plain + adapter.residual(plain)


def test_maps_are_the_bias_free_linear_image_of_text_plus_residual(adapter, text):
    codes = adapter(*text)
    expected = _slow_text(adapter, *text) @ adapter.to_grid.weight.T
    assert adapter.to_grid.bias is None
    torch.testing.assert_close(codes.maps, expected.view(K, M, G, G))
    torch.testing.assert_close(
        codes.vector, adapter.to_code(_slow_text(adapter, *text).flatten(1))
    )


def test_padding_tokens_are_not_read(adapter, text):
    tokens, mask = text
    noisy = torch.where(mask[..., None], tokens, torch.full_like(tokens, 9.0))
    torch.testing.assert_close(adapter(noisy, mask).maps, adapter(tokens, mask).maps)


def test_the_residual_starts_small(adapter, text):
    plain = torch.randn(50, D, dtype=torch.float64)
    assert float(adapter.residual(plain).detach().abs().mean()) < 0.1


@pytest.fixture
def fusion(seeded):
    return TextVisionFusion(C, M).double().eval()


@pytest.fixture
def codes():
    maps = torch.randn(K, M, G, G, dtype=torch.float64)
    return PromptCodes(maps, torch.randn(K, E, dtype=torch.float64))


def test_gate_has_one_channel_between_zero_and_one(fusion, codes):
    vision = fusion.vision_parts(torch.randn(K, C, G, G, dtype=torch.float64) * 5)
    psi = fusion.gate(vision, fusion.prompt_map(codes, (G, G)))
    assert psi.shape == (K, 1, G, G)
    assert ((psi >= 0) & (psi <= 1)).all()


def test_fuse_then_select_is_the_published_formula(fusion, codes):
    """conv([F^v; F^p]) over the concatenation, then the gate."""
    vision = torch.randn(K, C, G, G, dtype=torch.float64)
    prompt = fusion.prompt_map(codes, (G, G))
    leaky = torch.nn.functional.leaky_relu
    joined = torch.cat([fusion.fuse_vision.weight, fusion.fuse_prompt.weight], dim=1)
    both = torch.nn.functional.conv2d(torch.cat([vision, prompt], 1), joined, padding=1)
    fused = leaky(fusion.norm[0](both), 0.01)
    w1, w2 = fusion.gate_vision.weight, fusion.gate_prompt.weight
    hidden = torch.einsum("oc,pchw->pohw", w1[..., 0, 0], vision)
    hidden = hidden + torch.einsum("oc,pchw->pohw", w2[..., 0, 0], prompt)
    to_one = fusion.to_gate[1]
    psi = torch.sigmoid(fusion.to_gate[2](to_one(leaky(hidden, 0.01))))
    found = fusion(fusion.vision_parts(vision), codes)
    torch.testing.assert_close(found, fused * psi)


def test_prompt_map_is_linear_layernorm_leaky_at_each_place(fusion, codes):
    linear, norm, _ = fusion.to_channels
    k, y, x = 1, 2, 4
    reading = codes.maps[k, :, y, x]
    z = linear.weight @ reading + linear.bias
    z = (z - z.mean()) / torch.sqrt(z.var(correction=0) + norm.eps)
    z = torch.nn.functional.leaky_relu(z * norm.weight + norm.bias, 0.01)
    torch.testing.assert_close(fusion.prompt_map(codes, (G, G))[k, :, y, x], z)
