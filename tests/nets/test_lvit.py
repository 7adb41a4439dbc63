"""LViT's network against the published graph, written out slowly in float64."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from src_core.config import NetSettings
from src_core.nets import LViTNet
from src_core.nets.lvit_parts import (
    PLAM,
    PatchEmbedding,
    Reconstruct,
    TextPath,
    TokenConv,
    TransformerBlock,
)

D, TOKENS = 12, 6
SMALL = NetSettings(base=8, grid=2, text_width=D)
PUBLISHED = NetSettings(text_width=768)


def _disturbed(module):
    """The module in float64 with every parameter and statistic off its start value."""
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, value in module.double().state_dict().items():
            if value.is_floating_point():
                noise = torch.randn(value.shape, generator=rng, dtype=value.dtype)
                value += 0.1 * (noise.abs() if name.endswith("var") else noise)
    return module


class Slow:
    """The published forward pass for one picture and one prompt, in numpy.

    Names of weights are ours; every formula and their order are the published code's.
    """

    def __init__(self, module):
        self.w = {k: v.numpy() for k, v in module.state_dict().items()}

    def linear(self, x, name):
        """(..., C) -> (..., C'), a 1x1 convolution's kernel counts as a matrix."""
        weight = self.w[f"{name}.weight"]
        y = x @ weight.reshape(len(weight), -1).T
        return y + self.w[f"{name}.bias"] if f"{name}.bias" in self.w else y

    def norm(self, x, name):
        """Batch norm in evaluation; channels come first."""
        mean, var, scale, shift = (
            self.w[f"{name}.{k}"].reshape(-1, *[1] * (x.ndim - 1))
            for k in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / np.sqrt(var + 1e-5) * scale + shift

    def conv(self, x, name):
        """3x3 over (C, H, W), or 3 over (C, N), zero padding."""
        weight, space = self.w[f"{name}.weight"], x.shape[1:]
        padded = np.pad(x, [(0, 0)] + [(1, 1)] * len(space))
        y = self.w[f"{name}.bias"].reshape(-1, *[1] * len(space))
        for offset in np.ndindex(*[3] * len(space)):
            window = tuple(slice(o, o + n) for o, n in zip(offset, space, strict=True))
            kernel = weight[(slice(None), slice(None), *offset)]
            y = y + np.tensordot(kernel, padded[(slice(None), *window)], 1)
        return y

    def unit(self, x, conv, norm):
        return np.maximum(self.norm(self.conv(x, conv), norm), 0)

    def double(self, x, name):
        for i in (0, 1):
            x = self.unit(x, f"{name}.{i}.0", f"{name}.{i}.1")
        return x

    def token_conv(self, tokens, name):
        """(N, C) -> (N, C'), neighbours along the row of places."""
        return self.unit(tokens.T, f"{name}.conv", f"{name}.norm").T

    def plam(self, x, name=""):
        """Pixel by pixel."""
        dot = f"{name}." if name else ""
        y = np.empty_like(x)
        for place in np.ndindex(*x.shape[1:]):
            pixel = x[(slice(None), *place)]
            a = np.maximum(self.linear(pixel, f"{dot}for_mean"), 0).mean()
            m = np.maximum(self.linear(pixel, f"{dot}for_max"), 0).max()
            hidden = np.maximum(self.linear(np.array([a, m, a + m]), f"{dot}mlp.0"), 0)
            weight = self.linear(hidden, f"{dot}mlp.2").item()
            y[(slice(None), *place)] = weight * pixel
        return y

    def layer_norm(self, x, name):
        mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        scaled = (x - mean) / np.sqrt(var + 1e-5)
        return scaled * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    def block(self, x, name=""):
        """(N, C): each head on its own, then an MLP that ends in a second GELU."""
        dot = f"{name}." if name else ""
        q, k, v = np.split(
            self.linear(self.layer_norm(x, f"{dot}norm_attention"), f"{dot}to_qkv"),
            3,
            axis=1,
        )
        size, heads = x.shape[1] // 8, []
        for h in range(8):
            part = slice(h * size, (h + 1) * size)
            score = q[:, part] @ k[:, part].T * size**-0.5
            weight = np.exp(score - score.max(1, keepdims=True))
            heads.append(weight / weight.sum(1, keepdims=True) @ v[:, part])
        x = x + self.linear(np.concatenate(heads, axis=1), f"{dot}project")
        y = self.layer_norm(x, f"{dot}norm_mlp")
        for layer in ("mlp.0", "mlp.3"):
            y = self.linear(y, f"{dot}{layer}")
            y = 0.5 * y * (1 + np.vectorize(math.erf)(y / math.sqrt(2)))
        return x + y

    def embed(self, x, name, patch):
        """(C, H, W) -> (N, C): each patch times the kernel, plus its position."""
        weight, bias = self.w[f"{name}.patches.weight"], self.w[f"{name}.patches.bias"]
        height, width = x.shape[1] // patch, x.shape[2] // patch
        rows = [
            np.tensordot(
                weight, x[:, patch * i :, patch * j :][:, :patch, :patch], axes=3
            )
            for i in range(height)
            for j in range(width)
        ]
        return np.array(rows) + bias + self.w[f"{name}.positions"][0]

    def rebuild(self, tokens, name, scale):
        """Upsample to the nearest *first*, then 1x1 convolution, batch norm, ReLU."""
        side = math.isqrt(len(tokens))
        x = tokens.T.reshape(-1, side, side)
        x = x.repeat(scale, axis=1).repeat(scale, axis=2)
        x = np.moveaxis(self.linear(np.moveaxis(x, 0, -1), f"{name}.conv"), -1, 0)
        return np.maximum(self.norm(x, f"{name}.norm"), 0)

    def text(self, tokens, name="text."):
        """(L, D) of a prompt that fills all places -> (N, C)."""
        x = tokens.T
        for i in range(4):
            x = self.conv(x, f"{name}narrow.{i}")
        return self.unit(x.T, f"{name}to_places", f"{name}norm")

    def forward(self, image, tokens):
        x = [self.unit(image, "first.0", "first.1")]
        for i in range(4):
            c, h, w = x[-1].shape
            pooled = x[-1].reshape(c, h // 2, 2, w // 2, 2).max((2, 4))
            x.append(self.double(pooled, f"down.{i}"))
        patches = (16, 8, 4, 2)
        embedded = [self.embed(x[i], f"embed.{i}", patches[i]) for i in range(4)]
        y = [self.block(embedded[0] + self.text(tokens), "blocks_down.0")]
        for i in (1, 2, 3):
            own = self.token_conv(
                self.block(embedded[i], f"blocks_down.{i}"), f"halve.{i - 1}"
            )
            y.append(np.concatenate([own, y[-1]], axis=1))
        y[3] = self.block(y[3], "blocks_up.3")
        for i in (2, 1, 0):
            y[i] = self.block(y[i], f"blocks_up.{i}") + self.token_conv(
                y[i + 1], f"lift.{i}"
            )
        out = x[4]
        for level, i in enumerate((3, 2, 1, 0)):
            skip = x[i] + self.rebuild(y[i], f"reconstruct.{i}", patches[i])
            up = out.repeat(2, axis=1).repeat(2, axis=2)
            both = np.concatenate([self.plam(skip, f"up.{level}.plam"), up])
            out = self.double(both, f"up.{level}.convs")
        pooled = [y[0].mean(0), y[0].max(0), x[4].mean((1, 2)), x[4].max((1, 2))]
        hidden = np.maximum(self.linear(np.concatenate(pooled), "presence.0"), 0)
        logits = self.linear(np.moveaxis(out, 0, -1), "head")[..., 0]
        return logits, self.linear(hidden, "presence.2").item()


def _text(count, length=TOKENS, width=D, dtype=torch.float32):
    rng = torch.Generator().manual_seed(2)
    tokens = torch.randn(count, length, width, generator=rng, dtype=dtype)
    return tokens, torch.ones(count, length, dtype=torch.bool)


@pytest.fixture
def net(seeded):
    return LViTNet(SMALL, TOKENS).eval()


def test_the_whole_network_is_the_published_graph(seeded):
    net = _disturbed(LViTNet(SMALL, TOKENS)).eval()
    image, (tokens, mask) = torch.randn(1, 3, 32, 32).double(), _text(1)
    tokens = tokens.double()
    with torch.no_grad():
        answer = net.answer(net.encode(image), net.prompt(tokens, mask))
        logits, presence = Slow(net).forward(image[0].numpy(), tokens[0].numpy())
    np.testing.assert_allclose(answer.logits[0, 0], logits, rtol=1e-7, atol=1e-9)
    assert float(answer.presence) == pytest.approx(presence, rel=1e-7)


PARTS = {
    "PLAM": (lambda: PLAM(5), (5, 4, 6), Slow.plam),
    "transformer block": (lambda: TransformerBlock(16), (9, 16), Slow.block),
    "token convolution": (
        lambda: TokenConv(6, 4),
        (7, 6),
        lambda slow, x: slow.unit(x.T, "conv", "norm").T,
    ),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_its_formula(name, seeded):
    build, shape, formula = PARTS[name]
    part = _disturbed(build()).eval()
    x = torch.randn(2, *shape, dtype=torch.float64)
    expected = [formula(Slow(part), one.numpy()) for one in x]
    np.testing.assert_allclose(part(x).detach(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", PARTS)
def test_a_parts_gradient_is_the_slope(name, seeded):
    build, shape, _ = PARTS[name]
    part = _disturbed(build()).eval()
    x = torch.randn(1, *shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(part, (x,))


def test_reconstruct_may_upsample_last(seeded):
    """In training too, where batch norm looks at the pixels: values and gradients."""
    part = _disturbed(Reconstruct(6)).train()
    tokens = torch.randn(3, 8, 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 6, 16, 8, dtype=torch.float64)
    found = part(tokens, (4, 2), 4)
    (found * weight).sum().backward()
    gradient, tokens.grad = tokens.grad, None
    grid = tokens.transpose(1, 2).reshape(3, 6, 4, 2)
    large = grid.repeat_interleave(4, 2).repeat_interleave(4, 3)
    y = torch.einsum("oc,pchw->pohw", part.conv.weight[..., 0, 0], large)
    y = y + part.conv.bias.view(-1, 1, 1)
    mean = y.mean((0, 2, 3), keepdim=True)
    y = (y - mean) / torch.sqrt((y - mean).square().mean((0, 2, 3), True) + 1e-5)
    y = y * part.norm.weight.view(-1, 1, 1) + part.norm.bias.view(-1, 1, 1)
    expected = y.clamp_min(0)
    (expected * weight).sum().backward()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradient, tokens.grad)


def test_text_says_something_at_each_place(seeded):
    path = _disturbed(TextPath(D, (2, 4, 6, 8), TOKENS, 3)).eval()
    tokens, mask = _text(2, dtype=torch.float64)
    found = path(tokens, mask).detach().flatten(2).transpose(1, 2)
    expected = [Slow(path).text(one.numpy(), "") for one in tokens]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("length", [1, 3, 5])
def test_padding_says_nothing(length, seeded):
    """A prompt means the same whatever stands beside it in its batch."""
    path = _disturbed(TextPath(D, (2, 4, 6, 8), TOKENS, 3)).eval()
    tokens, mask = _text(1, length, dtype=torch.float64)
    expected = path(tokens, mask)
    for longer in (length + 1, TOKENS, TOKENS + 4):
        noisy = torch.full((1, longer, D), 7.0, dtype=torch.float64)
        noisy[:, :length] = tokens
        real = torch.arange(longer)[None] < length
        torch.testing.assert_close(path(noisy, real), expected)


def test_tokens_follow_the_size(seeded):
    """A position is learned for each place at 16·grid, and interpolated elsewhere."""
    embed = PatchEmbedding(4, 8, 2).eval()
    with torch.no_grad():
        embed.patches.weight.zero_()
        embed.patches.bias.zero_()
        embed.positions.copy_(torch.tensor([0.0, 4, 8, 12])[None, :, None])
        native = embed(torch.randn(1, 4, 16, 16))[0, :, 0]
        wider = embed(torch.randn(1, 4, 16, 32))[0, :, 0].view(2, 4)
    assert native.tolist() == [0, 4, 8, 12]
    torch.testing.assert_close(wider, torch.tensor([[0.0, 1, 3, 4], [8, 9, 11, 12]]))


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (48, 80), (16, 16)])
def test_any_size_of_multiples_of_16(net, size):
    with torch.no_grad():
        seen = net.encode(torch.randn(2, 3, *size))
        answer = net.answer(seen, net.prompt(*_text(2)))
    assert answer.logits.shape == (2, 1, *size)
    assert answer.presence.shape == (2,)
    assert seen.tokens[0].shape[1] == size[0] * size[1] / 256


def test_prompts_share_the_pictures_encoding(net):
    """Three prompts over one encoding answer as three separate questions do."""
    net, (tokens, mask) = _disturbed(net), _text(3, dtype=torch.float64)
    image = torch.randn(1, 3, 32, 32).double()
    with torch.no_grad():
        pairs = net.encode(image).select(torch.zeros(3, dtype=torch.long))
        together = net.answer(pairs, net.prompt(tokens, mask)).logits
        alone = [net(image, tokens[k : k + 1], mask[k : k + 1]) for k in range(3)]
    torch.testing.assert_close(together, torch.cat(alone))
    assert float((together[0] - together[1]).abs().max()) > 1e-3


def test_two_fifths_of_the_work_are_shared_between_prompts():
    with torch.device("meta"), torch.no_grad():
        net = LViTNet(PUBLISHED, 10).eval()
        tokens, mask = torch.zeros(1, 6, 768), torch.ones(1, 6, dtype=torch.bool)
        with FlopCounterMode(display=False) as image:
            seen = net.encode(torch.randn(1, 3, 224, 224))
        with FlopCounterMode(display=False) as prompt:
            net.answer(seen, net.prompt(tokens, mask))
    shared, again = image.get_total_flops() / 2e9, prompt.get_total_flops() / 2e9
    assert shared == pytest.approx(11.1, rel=0.01)
    assert again == pytest.approx(15.3, rel=0.01)


def test_every_parameter_is_trained(seeded):
    net = LViTNet(SMALL, TOKENS).train()
    answer = net.answer(net.encode(torch.randn(2, 3, 32, 32)), net.prompt(*_text(2)))
    (answer.logits.square().sum() + answer.presence.sum()).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_the_size_is_the_published_networks(capsys):
    """At base 64, 224² and text of width 768, beside the published 29.7 M.

    Published is what the layers hold that a forward pass runs, without the positions,
    which are no layer. Ours also reads longer texts, and answers "is it there at all".
    """
    with torch.device("meta"):
        net = LViTNet(PUBLISHED, 10)
        longer = LViTNet(PUBLISHED, 32)
    parts: dict[str, int] = {}
    for name, p in net.named_parameters():
        part = "positions" if name.endswith("positions") else name.split(".")[0]
        parts[part] = parts.get(part, 0) + p.numel()
    whole = sum(parts.values())
    table = [f"  {part:<12}{count / 1e6:8.3f}" for part, count in parts.items()]
    table = ["LViT, base 64, text width 768, millions of parameters", *table]
    with capsys.disabled():
        sys.stdout.write("\n".join(["", *table, f"  {'all':<12}{whole / 1e6:8.3f}\n"]))
    assert parts["positions"] == 196 * (64 + 128 + 256 + 512)
    assert whole - parts["positions"] - parts["presence"] == 29_719_873
    for built in (whole, sum(p.numel() for p in longer.parameters())):
        assert built == pytest.approx(29.7e6, rel=0.02)
