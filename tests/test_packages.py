"""Packages of the extras: loaded when asked for, and named with the way out when they cannot be."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from speechprune_lib.packages import needed


def test_what_is_there_is_imported() -> None:
    assert needed("json", "a test", "test") is json


def test_what_is_not_there_is_named_with_its_use_and_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    told = r"^pyarrow cannot be imported \(.*\), and a parquet file needs it: pip install 'speechprune-lib\[parquet\]'$"
    with pytest.raises(ModuleNotFoundError, match=told):
        needed("pyarrow", "a parquet file", "parquet")


def test_a_package_that_lacks_another_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "leans_on_others.py").write_text("import not_there_at_all")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="leans_on_others cannot be imported .*'not_there_at_all'"):
        needed("leans_on_others", "a test", "test")
