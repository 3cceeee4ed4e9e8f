"""HEAD wherever GET is: the same answer without its body (RFC 9110, section 9.3.2)."""

from typing import Any, cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from litestar.types.asgi_types import ReceiveMessage


def answer_head(app: ASGIApp) -> ASGIApp:
    """Wrap `app`: a HEAD is answered by its GET, whose body goes nowhere and is not made to its end."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "HEAD":
            await app(scope, receive, send)
            return
        # A scope of its own: the server must go on knowing that it was a HEAD.
        got = cast("dict[str, Any]", {**scope, "method": "GET"})
        is_started = False

        async def take() -> ReceiveMessage:
            # A stream that looks whether its reader is still there is done once its headers are out.
            return {"type": "http.disconnect"} if is_started else await receive()

        async def answer(message: Message) -> None:
            nonlocal is_started
            if message["type"] == "http.response.start":
                is_started = True
                await send(message)

        await app(cast("Scope", got), take, answer)
        if "path_template" in got:
            scope["path_template"] = got["path_template"]
        if is_started:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return middleware
