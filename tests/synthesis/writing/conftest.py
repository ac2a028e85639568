"""An endpoint that speaks OpenAI's chat protocol on this machine, and answers what the test tells it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

KEY = "sk-not-to-be-seen"
PROMPT_TOKENS, COMPLETION_TOKENS = 11, 7


@dataclass
class Answer:
    """`body` goes out as it is; `promised` bytes are announced, if they are not all of it."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    promised: int | None = None


def says(text: str, finish: str = "stop", **message: str) -> Answer:
    reply = {"role": "assistant", "content": text, **message}
    body = {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": finish, "message": reply}],
        "usage": {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": COMPLETION_TOKENS,
            "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
        },
    }
    return Answer(200, json.dumps(body).encode())


def refuses(status: int, message: str, code: str | None = None, retry_after_s: float | None = None) -> Answer:
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return Answer(status, json.dumps({"error": {"message": message, "code": code}}).encode(), headers)


class Endpoint:
    """`answers` go out one after another; with none left, `always` answers. `asked` are the requests' bodies."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.always: Callable[[dict], Answer] = lambda _request: refuses(403, "nothing left to say")
        self.asked: list[dict] = []
        self.keys: set[str | None] = set()
        self.url = ""

    def answer(self, request: dict) -> Answer:
        self.asked.append(request)
        return self.answers.pop(0) if self.answers else self.always(request)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    told = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.keys.add(self.headers["Authorization"])
            answer = told.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(answer.promised or len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        told.url = f"http://127.0.0.1:{server.server_port}/v1"
        yield told
        server.shutdown()
        thread.join()
