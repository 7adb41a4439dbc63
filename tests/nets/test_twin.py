"""Two networks in one: the first answers, the second is carried along."""

from __future__ import annotations

import pytest
import torch

from src_core.config import NetSettings
from src_core.nets import PromptUNet, TwinUNet

TINY = NetSettings(
    widths=(8, 8, 16, 16, 16), decoder_widths=(16, 8, 8), text_width=16, grid=4
)


@pytest.fixture
def twin(seeded):
    return TwinUNet(TINY).eval()


def test_the_two_are_alike_but_for_their_weights(twin):
    other = twin.other.state_dict()
    mine = {k: v for k, v in twin.state_dict().items() if not k.startswith("other.")}
    assert {k: v.shape for k, v in mine.items()} == {
        k: v.shape for k, v in other.items()
    }
    stem = "encoder.stem.0.weight"
    assert not torch.allclose(mine[stem], other[stem])


def test_the_first_answers_and_has_a_single_networks_names(twin):
    alone = PromptUNet(TINY).eval()
    assert not alone.load_state_dict(twin.state_dict(), strict=False).missing_keys
    image, tokens = torch.randn(2, 3, 64, 64), torch.randn(2, 4, 16)
    mask = torch.ones(2, 4, dtype=torch.bool)
    with torch.no_grad():
        torch.testing.assert_close(
            twin(image, tokens, mask), alone(image, tokens, mask)
        )
