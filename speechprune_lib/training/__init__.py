"""How the small CPU speech LLM in `data/models/mini` was made: speak, encode, align, hear, tune.

Each stage is one command (`python -m speechprune_lib.training STAGE --help`), resumes after a kill, and writes a
card of what it did. Nothing else in the library imports this package.
"""
