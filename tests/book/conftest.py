from pathlib import Path

import pytest
from toy_book import make_toy


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return make_toy(tmp_path)
