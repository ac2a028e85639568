"""The library's door."""

from __future__ import annotations

import subprocess
import sys

import speechprune_lib


def test_every_public_name_is_there():
    for name in speechprune_lib.__all__:
        assert getattr(speechprune_lib, name) is not None
    assert callable(speechprune_lib.evaluate)  # the function, not the module of its name
    assert len(speechprune_lib.__all__) <= 36


def test_progress_bars_of_other_packages_do_not_complain_in_a_notebook():
    code = "import speechprune_lib, sys; print('tqdm.auto' in sys.modules)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_the_door_opens_without_the_heavy_rooms():
    code = (
        "import sys, speechprune_lib; print([name for name in ('transformers', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
