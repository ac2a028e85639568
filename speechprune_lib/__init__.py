"""SpeechPrune: training-free, question-aware pruning of a speech LLM's audio tokens.

from speechprune_lib import apply, audio, get_method, load_model

model = load_model()
question = "Where did Laura leave her backpack?"
prompt = model.prepare(audio.load("talk.wav"), question, instruction=model.instruction(question, (), "generate"))
plan = get_method("speechprune").plan(prompt, prune_rate=0.2)
print(model.generate(apply(prompt, plan)))

Or inside a speech LLM of transformers that you already use:

from speechprune_lib import prune

with prune(model, processor, "Where did Laura leave her backpack?", keep=600):
    reply = model.generate(**inputs)
"""

from __future__ import annotations

from . import audio
from .benchmarks import BENCHMARKS, Example, load_benchmark
from .evaluation import evaluate, open_store
from .evidence import evidence_recall, kept_evidence, word_recall
from .fairness import fairness
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
