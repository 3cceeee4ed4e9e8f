"""Public messages are written byte for byte as the driver writes them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from aiormq.abc import ChannelFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from pamqp import commands
from pamqp.base import Frame
from pamqp.body import ContentBody
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from libs.common.messaging.frames import PublicMessage, UnwritableMessage, encode

NOW = datetime(2026, 11, 22, 12, 0, 0, 999_999, tzinfo=UTC)


def message(**fields: object) -> PublicMessage:
    values = {
        "body": b'{"n":1}',
        "exchange": "payments.x",
        "routing_key": "payment.settled",
        "type": "payment.settled",
        "message_id": "id",
        "correlation_id": "c",
        "timestamp": NOW,
        "headers": {"X-Tenant-Id": "t", "X-Correlation-Id": "c"},
    }
    return PublicMessage(**(values | fields))  # type: ignore[arg-type]


def as_the_driver_writes(sent: PublicMessage, *, channel: int, body_max: int, app_id: str, user_id: str) -> bytes:
    properties = commands.Basic.Properties(
        content_type="application/json",
        headers=dict(sent.headers),
        delivery_mode=2,
        correlation_id=sent.correlation_id,
        message_id=sent.message_id,
        timestamp=sent.timestamp,
        message_type=sent.type,
        app_id=app_id,
        user_id=user_id,
    )
    frames: list[Frame | ContentHeader | ContentBody | Heartbeat] = [
        commands.Basic.Publish(exchange=sent.exchange, routing_key=sent.routing_key),
        ContentHeader(properties=properties, body_size=len(sent.body)),
        *(ContentBody(sent.body[start : start + body_max]) for start in range(0, len(sent.body), body_max)),
    ]
    return ChannelFrame.marshall(channel, frames).payload


short = st.text(max_size=60)


@settings(max_examples=200)
@given(
    sent=st.builds(
        PublicMessage,
        body=st.binary(max_size=300),
        exchange=st.just("payments.x"),
        routing_key=st.sampled_from(["payment.settled", "refund.failed"]),
        type=st.sampled_from(["payment.settled", ""]),
        message_id=short,
        correlation_id=short,
        timestamp=st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        headers=st.dictionaries(st.sampled_from(["X-Tenant-Id", "X-Correlation-Id", "traceparent"]), st.text()),
    ),
    channel=st.integers(1, 2047),
    body_max=st.integers(1, 400),
    app_id=st.sampled_from(["api", ""]),
    user_id=st.sampled_from(["notifier", ""]),
)
def test_bytes_are_those_of_the_driver(
    sent: PublicMessage, channel: int, body_max: int, app_id: str, user_id: str
) -> None:
    about: dict[str, Any] = {"channel": channel, "body_max": body_max, "app_id": app_id, "user_id": user_id}
    assert encode(sent, **about) == as_the_driver_writes(sent, **about)


def test_body_of_one_frame_and_a_byte_is_two_frames() -> None:
    sent = message(body=b"12345")
    written = encode(sent, channel=1, body_max=4, app_id="api")
    assert written.endswith(b"\x03\x00\x01\x00\x00\x00\x041234\xce\x03\x00\x01\x00\x00\x00\x015\xce")


@pytest.mark.parametrize("field", ["message_id", "correlation_id", "type", "routing_key", "exchange"])
def test_what_amqp_has_no_form_for_is_refused(field: str) -> None:
    longest = "x" * 253 + "é"
    encode(message(**{field: longest}), channel=1, body_max=100, app_id="api")
    with pytest.raises(UnwritableMessage):
        encode(message(**{field: longest + "x"}), channel=1, body_max=100, app_id="api")
