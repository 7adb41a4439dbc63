"""Rounds: predict, correct, commit, retrain, promote."""

from src_core.rounds.gate import Verdict, judge
from src_core.rounds.promotion import deployed_card, promote, promoted
from src_core.rounds.round import Round, RoundHooks, RoundRequest, RoundResult
from src_core.rounds.score import PromptFrom, evaluate, score_images
from src_core.rounds.validation import ensure_validation, held_out_groups

__all__ = [
    "PromptFrom",
    "Round",
    "RoundHooks",
    "RoundRequest",
    "RoundResult",
    "Verdict",
    "deployed_card",
    "ensure_validation",
    "evaluate",
    "held_out_groups",
    "judge",
    "promote",
    "promoted",
    "score_images",
]
