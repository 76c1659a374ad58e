"""Errors as the API says them: RFC 9457, with the path of the field where there is one."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TypeVar

import msgspec
from starlette.responses import Response

from linkray.model.asks import Answer
from linkray.model.plain import in_plain, path_of

CONFIRM = "urn:linkray:confirm"  # types of problems that the page answers by asking its visitor
CODE = "urn:linkray:code"

T = TypeVar("T")
METHOD_MAX = 20  # characters of an unknown one

TITLES = {
    400: "Not readable", 401: "Sign in first", 403: "Not allowed", 404: "Not there",
    405: "Not this way", 408: "Too slow", 409: "Refused", 412: "Changed meanwhile",
    413: "Too large", 415: "Not this kind", 421: "Not this host", 422: "Not valid",
    429: "Too many tries", 500: "Our mistake", 503: "Control is away", 504: "No answer in time",
}  # fmt: skip
STATUS = {
    "refused": 409, "forbidden": 403, "invalid": 422, "conflict": 412, "unknown": 404,
    "timeout": 504, "failed": 503,
}  # fmt: skip  # of an answer's code


class Problem(Exception):
    """What is answered instead: status, one sentence, and where it applies a path or a pause."""

    def __init__(
        self, status: int, detail: str, *, path: str | None = None, retry_s: float | None = None,
        kind: str = "about:blank",
    ) -> None:  # fmt: skip
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.path = path
        self.retry_s = retry_s
        self.kind = kind

    def response(self) -> Response:
        body: dict[str, object] = {
            "type": self.kind,
            "title": TITLES.get(self.status, "Problem"),
            "status": self.status,
            "detail": self.detail,
        }
        if self.path is not None:
            body["path"] = self.path
        headers = {"cache-control": "no-store"}
        if self.retry_s is not None:
            headers["retry-after"] = str(math.ceil(self.retry_s))
        if self.status == 401:
            headers["www-authenticate"] = 'Bearer realm="LinkRay"'
        return Response(
            msgspec.json.encode(body), self.status, headers, "application/problem+json"
        )


def not_this_way(method: str, where: str, methods: Collection[str]) -> Response:
    """405 with all methods that there are; HEAD goes with GET without being named."""
    *most, last = sorted(set(methods) - {"HEAD"})
    expected = f"{', '.join(most)} or {last}" if most else last
    answer = Problem(405, f"Expected {expected} {where}, got {method[:METHOD_MAX]}").response()
    answer.headers["allow"] = ", ".join(sorted(methods))
    return answer


class _Where(msgspec.Struct):
    path: str | None = None


def checked(answer: Answer) -> Answer:
    """The answer, if it is a good one; raises the problem it is otherwise."""
    if answer.ok:
        return answer
    where = msgspec.json.decode(answer.data, type=_Where | None)
    raise Problem(
        STATUS.get(answer.code, 500), answer.text, path=None if where is None else where.path
    )


def read(body: bytes, kind: type[T]) -> T:
    """A JSON body as `kind`; raises 400 where it is no JSON, 422 with the path of what is wrong."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        words, path = path_of(in_plain(error))
        raise Problem(422, words, path=path) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, f"Expected JSON: {in_plain(error)}") from None
    except RecursionError:
        raise Problem(400, "Expected JSON, got lists or objects nested without end") from None
