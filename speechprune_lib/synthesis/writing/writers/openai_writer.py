"""The writer behind any endpoint that speaks OpenAI's chat protocol, through OpenAI's own package."""

# The package is an extra: where it is missing, pyright knows none of its types.
# pyright: basic
from __future__ import annotations

import os
from collections.abc import Mapping
from json import JSONDecodeError
from threading import Lock
from typing import Any

from pydantic import BaseModel

from ....packages import needed
from .base import ASKS, BadReplyError, Messages, Reply, Spent, Writer, WriterError, WriterUnavailableError, ask, shape

KEY_VARIABLE = "OPENAI_API_KEY"


class OpenAIWriter(Writer):
    """Writes by chat completions with structured output.

    model: as the endpoint names it (the paper: "gpt-4o"). base_url: the endpoint, up to "/v1"; None is OpenAI's own.
    retries: the package's, with growing pauses or those that the endpoint asks for, after 429, 5xx and broken
    connections. options: passed on with every request, such as `temperature`. The key comes from the environment
    variable OPENAI_API_KEY alone. An endpoint that refuses a JSON schema gets it as part of the prompt from then on.
    Raises WriterUnavailableError without the package or the key.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        *,
        asks: int = ASKS,
        retries: int = 5,
        timeout_s: float = 300.0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.name, self.asks, self.options = model, asks, dict(options or {})
        self.spent, self._counting = Spent(), Lock()
        self._sdk: Any = _package()
        self._structured = True
        self._client = self._sdk.OpenAI(api_key=_key(), base_url=base_url, max_retries=retries, timeout=timeout_s)

    def write(self, prompt: str, schema: type[Reply]) -> Reply:
        """Valid JSON or WriterError: bad replies are asked for again, `asks` in all."""
        return ask(lambda messages: self._reply(messages, schema), prompt, schema, self.asks)

    def close(self) -> None:
        self._client.close()

    def _reply(self, messages: Messages, schema: type[BaseModel]) -> str:
        sdk = self._sdk
        try:
            return self._text(self._completion(messages, schema))
        except (sdk.AuthenticationError, sdk.PermissionDeniedError, sdk.NotFoundError) as error:
            raise WriterUnavailableError(
                f"the endpoint refuses {self.name!r}: {error}: check the model, its address and {KEY_VARIABLE}"
            ) from error
        except sdk.APIError as error:
            if getattr(error, "code", None) == "insufficient_quota":
                raise WriterUnavailableError(f"the account's quota is used up: {error}") from error
            raise WriterError(f"the endpoint gives no reply: {error}") from error
        except JSONDecodeError as error:  # the package's answer to a body that is cut off
            raise BadReplyError(f"the endpoint's answer is not whole ({error})") from error

    def _completion(self, messages: Messages, schema: type[BaseModel]) -> Any:
        if not self._structured:
            return self._plain_completion(messages, schema)
        wanted = {"name": schema.__name__, "schema": schema.model_json_schema(), "strict": True}
        try:
            return self._request(messages, response_format={"type": "json_schema", "json_schema": wanted})
        except (self._sdk.BadRequestError, self._sdk.UnprocessableEntityError):
            completion = self._plain_completion(messages, schema)  # raises again if it was not the schema
            self._structured = False
            return completion

    def _plain_completion(self, messages: Messages, schema: type[BaseModel]) -> Any:
        first, *others = messages
        return self._request([first | {"content": f"{first['content']}\n\n{shape(schema)}"}, *others])

    def _request(self, messages: Messages, **more: Any) -> Any:
        return self._client.chat.completions.create(model=self.name, messages=messages, **self.options, **more)

    def _text(self, completion: Any) -> str:
        if usage := getattr(completion, "usage", None):
            with self._counting:
                self.spent += Spent(usage.prompt_tokens or 0, usage.completion_tokens or 0)
        choices = getattr(completion, "choices", None)
        if not choices:
            raise BadReplyError("the endpoint's answer holds no reply")
        choice = choices[0]
        if choice.finish_reason == "length":
            raise BadReplyError("the reply was cut off at the endpoint's limit of length, expected a shorter one")
        if getattr(choice.message, "refusal", None):
            raise BadReplyError(f"the model refuses: {choice.message.refusal}")
        return choice.message.content or ""


def _package() -> Any:
    try:
        return needed("openai", "an endpoint", "synthesis")
    except ModuleNotFoundError as error:
        raise WriterUnavailableError(str(error)) from error


def _key() -> str:
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        raise WriterUnavailableError(
            f"{KEY_VARIABLE} is not set: export your endpoint's key under that name, or any word for a server that "
            f"asks for none"
        )
    return key
