"""The public names, and where they come from: `__init__.py` imports each when it is first used."""

from . import audio
from .benchmarks import BENCHMARKS, Example, load_benchmark
from .evaluation import evaluate, open_store
from .evidence import evidence_recall, kept_evidence, word_recall
from .giveaways import fairness
from .listen import audio_player, kept_audio
from .models import MODELS, SpeechModel, load_model
from .models.families import register_model
from .plug_in import prune
from .prompt import Plan, SpeechPrompt, apply, kept_count
from .pruners import METHODS, Pruner, SpeechPrune, get_method
from .results import read_card, read_rows
from .scoring import choose
from .statistics import compare_paired, wilson
from .store import ResultStore
from .summary import readable, rescore, summarize

__all__ = [
    "BENCHMARKS",
    "METHODS",
    "MODELS",
    "Example",
    "Plan",
    "Pruner",
    "ResultStore",
    "SpeechModel",
    "SpeechPrompt",
    "SpeechPrune",
    "apply",
    "audio",
    "audio_player",
    "choose",
    "compare_paired",
    "evaluate",
    "evidence_recall",
    "fairness",
    "get_method",
    "kept_audio",
    "kept_count",
    "kept_evidence",
    "load_benchmark",
    "load_model",
    "open_store",
    "prune",
    "read_card",
    "read_rows",
    "readable",
    "register_model",
    "rescore",
    "summarize",
    "wilson",
    "word_recall",
]
