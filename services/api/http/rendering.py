"""Answers, and the amounts that bodies have: decimal strings with exactly the currency's decimals."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Response

from libs.common.clock import iso
from libs.common.money import AMOUNT_PATTERN

_encoder = msgspec.json.Encoder()
JSON_MEDIA_TYPE = "application/json"

AMOUNT_CHOICE: list[dict[str, Any]] = [
    {"type": "number", "exclusiveMinimum": 0},
    {"type": "string", "pattern": AMOUNT_PATTERN},
]
"""The types of an amount in a body, as JSON schemas."""
AMOUNT_DESCRIPTION = "Above zero; a JSON number or a numeric string, read exactly."

type AmountIn = Annotated[
    msgspec.Raw, msgspec.Meta(description=AMOUNT_DESCRIPTION, extra_json_schema={"oneOf": AMOUNT_CHOICE})
]


ALL = msgspec.Raw(b"null")
"""What stands for an amount that is not given: all there is."""


def json_answer(body: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Response[bytes]:
    """Answer with a struct, a list of them, or bytes that are JSON already."""
    raw = body if isinstance(body, bytes) else _encoder.encode(body)
    return Response(raw, status_code=status, media_type=JSON_MEDIA_TYPE, headers=headers)


def age_of(read_at: datetime, now: datetime) -> dict[str, str]:
    """Write of which instant an answer is that was not read just now."""
    return {"Age": str(max(0, int((now - read_at).total_seconds()))), "X-Report-Refreshed-At": iso(read_at)}


def final_before(instant: datetime | None) -> dict[str, str] | None:
    """Write up to when an answer from the books stays as it is; None where it is of now, or of another time."""
    return None if instant is None else {"X-Final-Before": iso(instant)}
