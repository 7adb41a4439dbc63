"""Rounds: predict, correct, commit, retrain, promote.

Names are loaded when first used: to ask which version answers, or to send a round to a
worker, costs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from src_core.rounds.absence import declare_absent
    from src_core.rounds.comparison import Comparison, Pair, read_comparison
    from src_core.rounds.efforts import RoundEffort, effort
    from src_core.rounds.gate import Verdict, judge
    from src_core.rounds.promotion import (
        deployed_card,
        promote,
        promote_result,
        promoted,
    )
    from src_core.rounds.proposing import (
        ProposerChoice,
        answerer,
        choose_proposer,
        no_model_yet,
        propose,
        proposer_choice,
    )
    from src_core.rounds.request import RoundRequest
    from src_core.rounds.round import Round, RoundHooks, RoundResult
    from src_core.rounds.score import PromptFrom, evaluate, score_images
    from src_core.rounds.validation import ensure_validation, held_out_groups

_WHERE = {
    "Comparison": "comparison",
    "Pair": "comparison",
    "PromptFrom": "score",
    "ProposerChoice": "proposing",
    "Round": "round",
    "RoundEffort": "efforts",
    "RoundHooks": "round",
    "RoundRequest": "request",
    "RoundResult": "round",
    "Verdict": "gate",
    "answerer": "proposing",
    "choose_proposer": "proposing",
    "declare_absent": "absence",
    "deployed_card": "promotion",
    "effort": "efforts",
    "ensure_validation": "validation",
    "evaluate": "score",
    "held_out_groups": "validation",
    "judge": "gate",
    "no_model_yet": "proposing",
    "promote": "promotion",
    "promote_result": "promotion",
    "promoted": "promotion",
    "propose": "proposing",
    "proposer_choice": "proposing",
    "read_comparison": "comparison",
    "score_images": "score",
}

__all__ = [
    "Comparison",
    "Pair",
    "PromptFrom",
    "ProposerChoice",
    "Round",
    "RoundEffort",
    "RoundHooks",
    "RoundRequest",
    "RoundResult",
    "Verdict",
    "answerer",
    "choose_proposer",
    "declare_absent",
    "deployed_card",
    "effort",
    "ensure_validation",
    "evaluate",
    "held_out_groups",
    "judge",
    "no_model_yet",
    "promote",
    "promote_result",
    "promoted",
    "propose",
    "proposer_choice",
    "read_comparison",
    "score_images",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
