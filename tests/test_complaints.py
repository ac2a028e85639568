"""What pydantic found wrong, told by place, rule and value."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError, field_validator

from speechprune_lib.complaints import first_complaint


class Fruit(BaseModel):
    name: str
    seeds: list[int] = []

    @field_validator("name")
    @classmethod
    def _no_plum(cls, name: str) -> str:
        if name == "plum":
            raise ValueError("the fruit 'plum' is out of season")
        return name


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({}, "name: Field required"),
        ({"name": "plum"}, "name: the fruit 'plum' is out of season"),
        ({"name": "fig", "seeds": [1, None]}, "seeds.1: Input should be a valid integer, got None"),
        ({"name": "fig", "seeds": "x" * 100}, f"seeds: Input should be a valid list, got '{'x' * 79}..."),
        ([1, 2], "the item: Input should be a valid dictionary or instance of Fruit, got [1, 2]"),
    ],
)
def test_place_rule_and_value_are_told(record: object, told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Fruit.model_validate(record)
    assert first_complaint(caught.value) == told
