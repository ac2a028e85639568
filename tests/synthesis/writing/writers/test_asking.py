"""What all writers share: the second question, what they spent, and their end."""

from __future__ import annotations

from pydantic import BaseModel

from speechprune_lib.synthesis.writing.writers import Writer
from speechprune_lib.synthesis.writing.writers.base import BadReplyError, Messages, Reply, Spent, ask


class Fruit(BaseModel):
    name: str


class Plain(Writer):
    """Neither counts nor holds anything."""

    def write(self, prompt: str, schema: type[Reply]) -> Reply:
        return schema.model_validate({"name": prompt})


def test_a_reply_that_is_cut_off_is_not_shown_as_the_one_before() -> None:
    shown: list[Messages] = []

    def reply_to(messages: Messages) -> str:
        shown.append(messages)
        if len(shown) == 2:
            raise BadReplyError("the reply was cut off")
        return "Plums are nice." if len(shown) == 1 else '{"name": "plum"}'

    assert ask(reply_to, "Name a fruit.", Fruit) == Fruit(name="plum")
    _, second, third = shown
    assert [message["content"] for message in second[:2]] == ["Name a fruit.", "Plums are nice."]
    assert [message["content"] for message in third[:2]] == ["Name a fruit.", "..."]
    assert third[2]["content"].startswith("This cannot be used: the reply was cut off.")


def test_any_writer_can_be_asked_what_it_spent_and_closed() -> None:
    writer = Plain()
    assert writer.write("plum", Fruit).name == "plum"
    writer.close()
    assert writer.spent == Spent(0, 0)


def test_what_was_spent_adds_up_and_reads_well() -> None:
    assert str(Spent(1200, 30) + Spent(34, 4)) == "1,234 prompt and 34 completion tokens"
