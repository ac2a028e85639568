"""The book's kitchen: run the notebooks with papermill in the order of `_toc.yml`, render them, print them.

Notebooks are committed with outputs that repeat exactly. A run puts executed copies under `_build/executed`, which the
book shows in their place; `--store` writes the outputs back into the notebooks themselves. Either way the result is the
source notebook with outputs laid over it, so papermill's timestamps and injected cells never get in.
"""
