"""One request of a browser: who it is from, in which language and time zone, and what they may do."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from services.api.console.calling import Answer, Inside, Streamed
from services.api.console.operations import Operations
from services.api.console.sessions import Session
from services.api.console.texts import Language

type Permits = Callable[[str, str, str], Awaitable[bool]]
"""Whether the bearer of a token may use a permission of a tenant; nothing of it is written down."""


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """How somebody likes to see the console; kept by the browser."""

    language: Language
    theme: str
    """`light`, `dark`, or empty for what the machine prefers."""
    zone: ZoneInfo


class Visit:
    """A request by somebody who has logged in."""

    def __init__(
        self,
        *,
        inside: Inside,
        operations: Operations,
        permits: Permits,
        session: Session,
        preferences: Preferences,
        query: Mapping[str, str],
        client: tuple[str, int] | None,
        is_operator: bool,
        now: datetime,
    ) -> None:
        self.operations = operations
        self.session = session
        self.preferences = preferences
        self.query = query
        self.is_operator = is_operator
        self.now = now
        self.key = ""
        """The page that is looked at."""
        self._inside = inside
        self._permits = permits
        self._client = client
        self._may: dict[str, bool] = {}
        self._headers = {"authorization": f"Bearer {session.token}", "x-tenant-id": session.tenant_id}

    def text(self, english: str, /, **values: Any) -> str:
        """Return a text in the reader's language."""
        return self.preferences.language.text(english, **values)

    async def call(
        self,
        operation_id: str,
        *,
        path: Mapping[str, str] | None = None,
        query: Sequence[tuple[str, str]] = (),
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Carry out an operation of the API as whoever has logged in.

        Raises:
            Refused: when the API refuses.
        """
        return await self._inside.call(
            self.operations[operation_id],
            client=self._client,
            headers={**self._headers, "accept": "application/json", **(headers or {})},
            path=path,
            query=query,
            body=body,
        )

    async def stream(self, operation_id: str, *, path: Mapping[str, str], query: Sequence[tuple[str, str]]) -> Streamed:
        """Carry out an operation that reads, and return its answer part by part.

        Raises:
            Refused: when the API refuses.
        """
        operation = self.operations[operation_id]
        return await self._inside.stream(operation, client=self._client, headers=self._headers, path=path, query=query)

    async def read(self, operation_id: str, *, path: Mapping[str, str] | None = None, **query: str) -> Any:
        """Carry out an operation that reads, and return its JSON.

        Raises:
            Refused: when the API refuses.
        """
        return (await self.call(operation_id, path=path, query=list(query.items()))).json()

    async def may(self, operation_id: str) -> bool:
        """Whether whoever has logged in may carry out an operation."""
        if operation_id not in self.operations:
            return False
        declaration = self.operations[operation_id].declaration
        if declaration.operator_for and not self.is_operator:
            return False
        if declaration.permission is None:
            return True
        permission = declaration.permission
        if permission not in self._may:
            self._may[permission] = await self._permits(self.session.token, self.session.tenant_id, permission)
        return self._may[permission]
