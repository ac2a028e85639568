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

import warnings

import lazy_loader

with warnings.catch_warnings():  # transformers and pooch import it too; without ipywidgets it complains in a notebook
    warnings.filterwarnings("ignore", message="IProgress not found")
    import tqdm.auto  # noqa: F401  # pyright: ignore[reportUnusedImport]

# The names stand in `__init__.pyi`. Each is imported when it is first used: whoever only loads a model need not wait for
# the statistics.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
