"""OpenAI's own package against an endpoint on this machine that misbehaves."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import COMPLETION_TOKENS, KEY, PROMPT_TOKENS, Answer, Endpoint, refuses, says
from pydantic import BaseModel, ConfigDict

from speechprune_lib.synthesis.writing.writers import Writer, WriterError, WriterUnavailableError
from speechprune_lib.synthesis.writing.writers.base import Spent
from speechprune_lib.synthesis.writing.writers.openai_writer import OpenAIWriter


class Fruit(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    seeds: int


PLUM = says('{"name": "plum", "seeds": 1}')


@pytest.fixture
def writing(endpoint: Endpoint) -> Iterator[Callable[..., OpenAIWriter]]:
    made: list[OpenAIWriter] = []

    def make(**options: object) -> OpenAIWriter:
        made.append(OpenAIWriter("m", endpoint.url, **options))
        return made[-1]

    yield make
    for writer in made:
        writer.close()


def test_a_good_reply_is_taken(endpoint: Endpoint, writing) -> None:
    endpoint.answers = [PLUM]
    writer = writing(options={"temperature": 0.5})
    assert isinstance(writer, Writer)
    assert writer.write("Name a fruit.", Fruit) == Fruit(name="plum", seeds=1)
    (request,) = endpoint.asked
    assert request["messages"] == [{"role": "user", "content": "Name a fruit."}]
    assert (request["model"], request["temperature"]) == ("m", 0.5)
    wanted = request["response_format"]["json_schema"]
    assert (wanted["name"], wanted["strict"]) == ("Fruit", True)
    assert wanted["schema"] == Fruit.model_json_schema()
    assert endpoint.keys == {f"Bearer {KEY}"}
    assert writer.spent == Spent(PROMPT_TOKENS, COMPLETION_TOKENS)


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (says('{"name": "plum", "se'), "not a whole JSON object"),
        (says('{"name": "plum"}'), "seeds: Field required"),
        (says('{"name": "plum", "seeds": "many"}'), "seeds: .*got 'many'"),
        (says("Plums are nice."), "holds no JSON object"),
        (says(""), "holds no JSON object"),
        (says('{"name": "plum", "seeds": 1}', finish="length"), "cut off at the endpoint's limit"),
        (says("", refusal="I cannot say."), "the model refuses: I cannot say."),
        (Answer(200, b'{"id": "1", "choices": [{"ind'), "the endpoint's answer is not whole"),
        (Answer(200, b'{"id": "1", "choices": []}'), "holds no reply"),
        (Answer(200, b"<html>busy</html>", {"Content-Type": "text/html"}), "holds no reply"),
    ],
)
def test_a_bad_reply_is_asked_for_again_with_what_was_wrong(bad, told, endpoint: Endpoint, writing) -> None:
    endpoint.answers = [bad, PLUM]
    assert writing().write("Name a fruit.", Fruit).name == "plum"
    first, second = endpoint.asked
    assert second["messages"][0] == first["messages"][0]
    complaint = second["messages"][-1]["content"]
    assert re.search(told, complaint)
    assert '"seeds"' in complaint  # the schema, for endpoints that do not look at the option


def test_three_bad_replies_are_an_error_that_shows_the_last(endpoint: Endpoint, writing) -> None:
    endpoint.answers = [says('{"name": 1'), says("no"), says('{"name": "plum", "seeds": -')]
    writer = writing()
    with pytest.raises(WriterError, match=r"none of 3 replies could be used; .*whole JSON.*'\{\"name\": \"plum\""):
        writer.write("Name a fruit.", Fruit)
    assert len(endpoint.asked) == 3
    assert writer.spent == Spent(3 * PROMPT_TOKENS, 3 * COMPLETION_TOKENS)


def test_threads_share_a_writer_and_every_token_is_counted(endpoint: Endpoint, writing, monkeypatch) -> None:
    endpoint.always = lambda _request: PLUM
    writer, before = writing(), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads by turns, as often as can be
    try:
        with ThreadPoolExecutor(4) as threads:
            plums = list(threads.map(lambda number: writer.write(f"Name fruit {number}.", Fruit).name, range(40)))
    finally:
        sys.setswitchinterval(before)
    assert plums == ["plum"] * 40
    assert {request["messages"][0]["content"] for request in endpoint.asked} == {f"Name fruit {n}." for n in range(40)}
    assert writer.spent == Spent(40 * PROMPT_TOKENS, 40 * COMPLETION_TOKENS)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_endpoint_may_ask_to_wait(status: int, endpoint: Endpoint, writing) -> None:
    endpoint.answers = [refuses(status, "later", retry_after_s=0.01)] * 2 + [PLUM]
    assert writing().write("Name a fruit.", Fruit).seeds == 1
    assert len(endpoint.asked) == 3


def test_a_body_that_breaks_off_is_fetched_again(endpoint: Endpoint, writing) -> None:
    endpoint.answers = [Answer(200, PLUM.body[:50], {"Connection": "close"}, promised=len(PLUM.body)), PLUM]
    assert writing().write("Name a fruit.", Fruit).seeds == 1


def test_an_endpoint_that_always_asks_to_wait_is_named(endpoint: Endpoint, writing) -> None:
    endpoint.always = lambda _request: refuses(429, "too many requests", retry_after_s=0.01)
    with pytest.raises(WriterError, match="gives no reply: .*429.*too many requests"):
        writing(retries=2).write("Name a fruit.", Fruit)
    assert len(endpoint.asked) == 3


@pytest.mark.parametrize("status", [400, 422])
def test_an_endpoint_without_structured_output_gets_the_schema_in_the_prompt(
    status: int, endpoint: Endpoint, writing
) -> None:
    def answer(request: dict) -> Answer:
        if "response_format" in request:
            return refuses(status, "unknown field: response_format")
        return says(
            f"<think>A {{fruit}}...</think>Here you are:\n```json\n{json.dumps({'name': 'fig', 'seeds': 9})}\n```"
        )

    endpoint.always = answer
    writer = writing()
    assert writer.write("Name a fruit.", Fruit).name == "fig"
    assert writer.write("Name another.", Fruit).name == "fig"
    assert [("response_format" in request) for request in endpoint.asked] == [True, False, False]
    assert '"seeds"' in endpoint.asked[2]["messages"][0]["content"]


def test_a_request_that_is_bad_in_itself_does_not_change_how_the_next_is_asked(endpoint: Endpoint, writing) -> None:
    endpoint.answers = [refuses(400, "the prompt is too long")] * 2 + [PLUM]
    writer = writing()
    with pytest.raises(WriterError, match="the prompt is too long"):
        writer.write("Name a fruit." * 9, Fruit)
    assert writer.write("Name a fruit.", Fruit).name == "plum"
    assert "response_format" in endpoint.asked[-1]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (refuses(401, "incorrect key"), "refuses 'm': .*incorrect key.*OPENAI_API_KEY"),
        (refuses(403, "not for you"), "not for you"),
        (refuses(404, "no such model"), "no such model"),
        (refuses(429, "pay first", code="insufficient_quota", retry_after_s=0.01), "quota is used up: .*pay first"),
    ],
)
def test_what_no_item_survives_is_another_error(answer: Answer, message: str, endpoint: Endpoint, writing) -> None:
    endpoint.always = lambda _request: answer
    with pytest.raises(WriterUnavailableError, match=message):
        writing(retries=1).write("Name a fruit.", Fruit)


@pytest.mark.parametrize("key", [None, "", " "])
def test_no_key_is_an_error_that_says_where_it_belongs(key: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(WriterUnavailableError, match="OPENAI_API_KEY is not set"):
        OpenAIWriter("m")


def test_no_package_is_an_error_that_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    told = r"openai cannot be imported .* an endpoint needs it: pip install 'speechprune-lib\[synthesis\]'"
    with pytest.raises(WriterUnavailableError, match=told):
        OpenAIWriter("m")
