"""VerSemi's head: 180 weights a pair, against slow arithmetic; the whole network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from src_core.config import NetSettings
from src_core.nets import DynamicHeadNet, PromptUNet, TaskCodes
from src_core.nets.dynamic_head import HEAD_LAYERS, HEAD_WEIGHTS, apply_head

P, H, W = 3, 4, 5


def _text(count, width=384):
    return torch.randn(count, 6, width), torch.ones(count, 6, dtype=torch.bool)


@pytest.fixture
def net(seeded):
    return DynamicHeadNet(NetSettings()).eval()


def test_a_head_has_180_weights(net):
    assert HEAD_WEIGHTS == 180
    assert net.controller.out_features == 180
    assert HEAD_LAYERS[0] == HEAD_LAYERS[1] == (8, 8)
    assert HEAD_LAYERS[2] == (8, 2 + 2)


def _slow_head(features, weights):
    """Pixel by pixel, weight by weight, in the order in which they are written."""
    pairs, _, height, width = features.shape
    out = np.zeros((pairs, height * width, 4))
    for p in range(pairs):
        cursor, kernels = 0, []
        for wide_in, wide_out in HEAD_LAYERS:
            count = wide_in * wide_out
            kernels.append(weights[p, cursor : cursor + count])
            cursor += count
        biases = []
        for _, wide_out in HEAD_LAYERS:
            biases.append(weights[p, cursor : cursor + wide_out])
            cursor += wide_out
        assert cursor == weights.shape[1]
        for y in range(height):
            for x in range(width):
                value = features[p, :, y, x]
                for layer, (wide_in, wide_out) in enumerate(HEAD_LAYERS):
                    kernel = kernels[layer].reshape(wide_out, wide_in)
                    value = kernel @ value + biases[layer]
                    if layer < 2:
                        value = np.maximum(value, 0)
                out[p, y * width + x] = value
    return out


def _features_and_weights():
    rng = np.random.default_rng(0)
    features = torch.tensor(rng.normal(size=(P, 8, H, W)))
    weights = torch.tensor(rng.normal(size=(P, HEAD_WEIGHTS)) * 0.5)
    return features.requires_grad_(), weights.requires_grad_()


def test_the_head_is_three_small_products_a_pixel():
    features, weights = _features_and_weights()
    found = apply_head(features, weights).detach().numpy()
    expected = _slow_head(features.detach().numpy(), weights.detach().numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_the_heads_gradients_are_its_slopes():
    features, weights = _features_and_weights()
    assert torch.autograd.gradcheck(
        apply_head, (features[:2, :, :2, :2].detach().requires_grad_(), weights[:2])
    )


def test_the_head_is_the_published_grouped_convolution():
    features, weights = _features_and_weights()
    x, cursor = features.reshape(1, P * 8, H, W), 0
    biases = weights[:, -sum(o for _, o in HEAD_LAYERS) :].split(
        [o for _, o in HEAD_LAYERS], dim=1
    )
    for layer, (wide_in, wide_out) in enumerate(HEAD_LAYERS):
        count = wide_in * wide_out
        kernel = weights[:, cursor : cursor + count].reshape(-1, wide_in, 1, 1)
        x = F.conv2d(x, kernel, biases[layer].reshape(-1), groups=P)
        x = F.relu(x) if layer < 2 else x
        cursor += count
    expected = x.view(P, 4, H * W).transpose(1, 2)
    torch.testing.assert_close(apply_head(features, weights), expected)


def test_image_and_prompt_write_the_head_and_its_softmax_answers(net):
    """BN-ReLU-GAP of the bottleneck beside the code -> weights -> odds, evidence."""
    image, text = torch.randn(2, 3, 64, 64), _text(2)
    with torch.no_grad():
        seen, read = net.encode(image), net.prompt(*text)
        answer = net.answer(seen, read)
        *shallow, bottleneck, deepest = net.encoder(image)
        necked = net.neck(deepest, bottleneck)
        pooled = F.relu(net.pool[0](necked)).mean((2, 3))
        torch.testing.assert_close(seen.pooled, pooled)
        condition = torch.cat([pooled, read.vector], 1).double().numpy()
        controller = [
            p.double().numpy() for p in (net.controller.weight, net.controller.bias)
        ]
        weights = condition @ controller[0].T + controller[1]
        features = F.relu(net.reduce[0](net.decoder(shallow[::-1], necked)))
        features = net.reduce[2](features).double().numpy()
    out = _slow_head(features, weights)
    pair = np.exp(out[..., :2] - out[..., :2].max(-1, keepdims=True))
    inside = (pair[..., 1] / pair.sum(-1)).reshape(2, 32, 32)
    odds = torch.tensor(np.log(inside / (1 - inside)))[:, None]
    whole = F.interpolate(odds, (64, 64), mode="bilinear", align_corners=False)
    torch.testing.assert_close(answer.logits.double(), whole, atol=1e-4, rtol=1e-4)
    attention = np.exp(out[..., 3] - out[..., 3].max(1, keepdims=True))
    attention /= attention.sum(1, keepdims=True)
    expected = (attention * out[..., 2]).sum(1)
    np.testing.assert_allclose(answer.presence, expected, rtol=1e-3, atol=1e-5)


def test_the_synthetic_code_is_the_mean_of_those_that_count(net):
    codes = TaskCodes(torch.randn(5, 128))
    group_of = torch.tensor([0, 0, 2, 0, 2])
    counts = torch.tensor([1.0, 0.0, 1.0, 1.0, 1.0])
    found = net.unite(codes, group_of, counts, 3).vector
    mean = [
        codes.vector[[0, 3]].mean(0),
        torch.zeros(128),
        codes.vector[[2, 4]].mean(0),
    ]
    torch.testing.assert_close(found, torch.stack(mean) + net.synthetic)


def test_as_large_as_the_network_that_the_others_train(net):
    ours = sum(p.numel() for p in net.parameters())
    theirs = sum(p.numel() for p in PromptUNet(NetSettings()).parameters())
    assert 0.75 < ours / theirs < 1.0


def test_a_second_prompt_costs_the_head_alone(net):
    with torch.no_grad(), FlopCounterMode(display=False) as first:
        seen = net.encode(torch.randn(1, 3, 224, 224))
    with torch.no_grad(), FlopCounterMode(display=False) as second:
        net.answer(seen, net.prompt(*_text(1)))
    whole = first.get_total_flops() + second.get_total_flops()
    assert second.get_total_flops() < 0.02 * whole


@pytest.mark.parametrize("size", [(64, 64), (32, 96), (160, 128)])
def test_any_size_of_multiples_of_32(net, size):
    with torch.no_grad():
        answer = net.answer(net.encode(torch.randn(2, 3, *size)), net.prompt(*_text(2)))
    assert answer.logits.shape == (2, 1, *size)
    assert answer.presence.shape == (2,)
    assert [rows.tolist() for rows in answer.rows] == [[0, 1]]


def test_prompts_share_the_pictures_encoding(net):
    """Three prompts over one encoding answer as three separate questions do."""
    image, (tokens, mask) = torch.randn(1, 3, 64, 64), _text(3)
    with torch.no_grad():
        seen = net.encode(image).select(torch.zeros(3, dtype=torch.long))
        together = net.answer(seen, net.prompt(tokens, mask)).logits
        alone = [net(image, tokens[k : k + 1], mask[k : k + 1]) for k in range(3)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=1e-4)
    assert float((together[0] - together[1]).abs().max()) > 1e-3


def test_every_parameter_is_trained(seeded):
    net = DynamicHeadNet(NetSettings()).train()
    seen, read = net.encode(torch.randn(2, 3, 64, 64)), net.prompt(*_text(2))
    united = net.unite(read, torch.arange(2), torch.ones(2), 2)
    answers = [net.answer(seen, codes) for codes in (read, united)]
    sum(a.logits.sum() + a.presence.sum() for a in answers).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_what_both_networks_have_is_named_alike(net):
    """A version of one is a start for the other: encoder, neck and reading."""
    theirs = PromptUNet(NetSettings()).state_dict()
    shared = [
        key
        for key, value in net.state_dict().items()
        if key in theirs and theirs[key].shape == value.shape
    ]
    parts = {key.split(".")[0] for key in shared}
    assert parts == {"encoder", "neck", "adapter"}
    assert all(k in shared for k in net.state_dict() if k.split(".")[0] in parts)
