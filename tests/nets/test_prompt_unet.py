"""The whole network: size, shapes, shared work, and encoders by name."""

from __future__ import annotations

import sys

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from src_core.config import NetSettings
from src_core.errors import BadInputError, MissingExtraError
from src_core.nets import PromptUNet


def _text(count, width=384):
    return torch.randn(count, 6, width), torch.ones(count, 6, dtype=torch.bool)


@pytest.fixture
def net(seeded):
    return PromptUNet(NetSettings(decoders=2)).eval()


def test_size_for_two_cores(net):
    """About 3 M parameters asked at prediction, about 1 GMAC at 224²."""
    asked = PromptUNet(NetSettings(decoders=1)).eval()
    assert 2.5e6 < sum(p.numel() for p in asked.parameters()) < 4.0e6
    tokens, mask = _text(1)
    with torch.no_grad(), FlopCounterMode(display=False) as first:
        features = asked.encode(torch.randn(1, 3, 224, 224))
    with torch.no_grad(), FlopCounterMode(display=False) as second:
        codes = asked.prompt(tokens, mask)
        asked.decode(features, asked.fuse(features, codes), codes)
    whole = first.get_total_flops() + second.get_total_flops()
    assert whole / 2 < 1.2e9
    assert second.get_total_flops() < 0.25 * whole  # a second prompt is cheap


@pytest.mark.parametrize("size", [(64, 64), (32, 96), (160, 128)])
def test_any_size_of_multiples_of_32(net, size):
    with torch.no_grad():
        features = net.encode(torch.randn(2, 3, *size))
        codes = net.prompt(*_text(2))
        fused = net.fuse(features, codes)
        for decoder in range(2):
            decoded = net.decode(features, fused, codes, decoder)
            assert decoded.logits.shape == (2, 1, *size)
            quarter, eighth = decoded.deep
            assert quarter.shape[-2:] == (size[0] // 4, size[1] // 4)
            assert eighth.shape[-2:] == (size[0] // 8, size[1] // 8)
        assert net.present(fused, codes).shape == (2,)


def test_prompts_share_the_pictures_encoding(net):
    """Three prompts over one encoding answer as three separate questions do."""
    image, (tokens, mask) = torch.randn(1, 3, 64, 64), _text(3)
    with torch.no_grad():
        features = net.encode(image).select(torch.zeros(3, dtype=torch.long))
        codes = net.prompt(tokens, mask)
        together = net.decode(features, net.fuse(features, codes), codes).logits
        alone = [net(image, tokens[k : k + 1], mask[k : k + 1]) for k in range(3)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=1e-4)


def test_the_prompt_changes_the_answer(net):
    image, (tokens, mask) = torch.randn(1, 3, 64, 64), _text(2)
    with torch.no_grad():
        one, other = (net(image, tokens[k : k + 1], mask[k : k + 1]) for k in (0, 1))
    assert float((one - other).abs().max()) > 1e-3


def test_the_two_decoders_upsample_differently(net):
    first, second = net.decoders
    assert all(isinstance(up, torch.nn.ConvTranspose2d) for up in first.up)
    assert all(type(up) is torch.nn.Conv2d for up in second.up)


def test_every_parameter_is_trained(seeded):
    net = PromptUNet(NetSettings(decoders=2)).train()
    features, codes = net.encode(torch.randn(2, 3, 64, 64)), net.prompt(*_text(2))
    fused = net.fuse(features, codes)
    loss = net.present(fused, codes).sum()
    for decoder in range(2):
        decoded = net.decode(features, fused, codes, decoder)
        loss = loss + decoded.logits.sum() + sum(d.sum() for d in decoded.deep)
    loss.backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_a_missing_timm_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtraError, match=r"lgssl-napari\[encoders\]"):
        PromptUNet(NetSettings(backbone="resnet18"))


class TestTimm:
    """Backbones by name, where the extra is installed."""

    @pytest.fixture(autouse=True)
    def _timm(self):
        pytest.importorskip("timm", reason="the extra 'encoders' is not installed")

    def test_a_backbone_by_name_with_local_weights(self, tmp_path):
        from safetensors.torch import save_file

        donor = PromptUNet(NetSettings(backbone="resnet18"))
        file = tmp_path / "resnet18.safetensors"
        save_file(donor.encoder.body.state_dict(), file)
        net = PromptUNet(NetSettings(backbone="resnet18", weights=str(file))).eval()
        for key, value in donor.encoder.body.state_dict().items():
            torch.testing.assert_close(net.encoder.body.state_dict()[key], value)
        assert net(torch.randn(1, 3, 64, 64), *_text(1)).shape == (1, 1, 64, 64)

    @pytest.mark.parametrize("name", ["no-such-net", "vit_tiny_patch16_224"])
    def test_what_cannot_serve_is_a_sentence(self, name):
        with pytest.raises(BadInputError, match=name):
            PromptUNet(NetSettings(backbone=name))
