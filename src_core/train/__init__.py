"""Training: one loop for every method."""

from src_core.train.loop import Training
from src_core.train.missed import Regained
from src_core.train.pool import Item, Pool
from src_core.train.progress import Hooks, Look, Progress, Trained
from src_core.train.schedule import Budget
from src_core.train.wordings import Wordings

__all__ = [
    "Budget",
    "Hooks",
    "Item",
    "Look",
    "Pool",
    "Progress",
    "Regained",
    "Trained",
    "Training",
    "Wordings",
]
