"""What only operators may read: metrics, and the documents about messages."""

import hmac
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from libs.common.web.errors import InvalidToken

_SCHEME = "bearer "


def operators_only(token: str) -> list[Guard]:
    """Make the guards of such a route: whoever sends `token` as a bearer token passes; everybody where it is empty.

    Prometheus sends one by `authorization: {credentials_file: ...}` in its scrape configuration.
    """
    if not token:
        return []
    expected = token.encode()

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        header = connection.headers.get("authorization", "")
        given = header[len(_SCHEME) :].strip() if header[: len(_SCHEME)].lower() == _SCHEME else ""
        # In constant time, so that nobody learns it byte by byte.
        if not hmac.compare_digest(given.encode("utf-8", "replace"), expected):
            raise InvalidToken("this page requires the operations token")

    return [guard]


__all__ = ["operators_only"]
