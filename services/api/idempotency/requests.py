"""An `Idempotency-Key` on what another service does for us: done once, and answered the same however often it is sent.

The key is claimed, in progress, before the owner is called. Its row holds the id of what is created, so that a request
whose answer was lost is sent again with the same id, and the owner finds what it has done already. The answer is kept
without secrets: one that is shown once is not in a replay.
"""

from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response

from libs.common.cards import has_card_number
from libs.common.contracts import Message
from libs.common.contracts.ledger_journal import PostEntries, ProposeEntries
from libs.common.errors import Rejected
from libs.common.ids import new_id
from services.api.http.callers import Caller, Headers
from services.api.http.controllers import at_hand
from services.api.http.errors import CardNumberInText, IdempotencyKeyInvalid, IdempotencyKeyMissing
from services.api.http.parameters import AnyRequest
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask
from services.api.idempotency.commands import Idempotency
from services.api.idempotency.domain import Answer, Claim, Given, normalise_key

_HEADER = "idempotency-key"
_ANSWER_BYTES_MAX = 262_144
"""Bytes of an answer that are kept at most: only the dry run of a large batch has more, and it may well run again."""
_encoder = msgspec.json.Encoder()


def require_key(headers: Headers, *, missing: str) -> str:
    """Read the `Idempotency-Key`.

    Raises:
        HttpProblem: 400 when it is missing or malformed.
    """
    key = given_key(headers) if headers.get(_HEADER) else None
    if key is None:
        raise IdempotencyKeyMissing(missing)
    return key


def given_key(headers: Headers) -> str | None:
    """Read the `Idempotency-Key` where it may be left out; None when it is.

    Raises:
        HttpProblem: 400 when it is malformed, also when it is empty; 422 with a card number in it.
    """
    header = headers.get(_HEADER)
    if header is None:
        return None
    key = normalise_key(header)
    if key is None:
        raise IdempotencyKeyInvalid
    if has_card_number(key):
        raise CardNumberInText(errors=(("Idempotency-Key", "has a card number"),))
    return key


def keyed(idempotency: Idempotency, ask: Ask) -> Ask:
    """Wrap `ask` so that a request that changes something is made once under its `Idempotency-Key`, where it has one."""

    async def sent(message: Message) -> Any:
        call = at_hand.get()
        if call is None or not isinstance(call.caller, Caller) or not call.changes(message):
            return await ask(message)
        if isinstance(message, PostEntries | ProposeEntries) and message.key:
            # Those two are deduplicated by the ledger, which keeps their keys for ever.
            return await ask(message)
        key = given_key(call.request.headers)
        if key is None:
            return await ask(message)
        claim = idempotency.claim(
            tenant_id=call.caller.tenant_id,
            operation=_operation(call.request),
            key=key,
            body=await call.request.body(),
        )
        work = _Once(idempotency, ask, message, claim, minted=call.minted or new_id(call.at))
        given = await idempotency.run(claim, work.first, resume=work.resume)
        call.is_replayed = given.replayed
        if work.reply is not None:
            return work.reply
        assert message.contract.reply is not None, "a request names what it is answered with"
        return msgspec.json.decode(given.answer.body, type=message.contract.reply)

    return sent


class _Once:
    """One request to another service under a key."""

    def __init__(self, idempotency: Idempotency, ask: Ask, message: Message, claim: Claim, *, minted: UUID) -> None:
        self._idempotency = idempotency
        self._ask = ask
        self._message = message
        self._claim = claim
        self._minted = minted
        self.reply: Any = None

    async def first(self) -> Answer | None:
        """Claim the key and do it; None when the key is taken."""
        if not await self._idempotency.begin(self._claim, subject_id=self._minted):
            return None
        return await self._do(self._minted)

    async def resume(self) -> Answer:
        """Do it again under a key that was taken over, about what its first request was about."""
        return await self._do(await self._idempotency.subject_of(self._claim) or self._minted)

    async def _do(self, subject: UUID) -> Answer:
        ended = partial(self._idempotency.let_go, self._claim, subject_id=subject)
        try:
            self.reply = await self._ask(_about(self._message, self._minted, subject))
        except Rejected:
            # Nothing was done: the key is as if it had not been used.
            await ended(is_free=True)
            raise
        except Exception:
            # It may have been done. Whoever repeats the request asks again, with the same id.
            await ended(is_free=False)
            raise
        answer = Answer(200, _encoder.encode(_without_secrets(self.reply)))
        if len(answer.body) > _ANSWER_BYTES_MAX:
            await ended(is_free=True)
        else:
            await self._idempotency.complete(self._claim, answer)
        return answer


def _operation(request: AnyRequest) -> str:
    named = request.route_handler.operation_id
    return ":".join([str(named), *(str(value).lower() for value in request.path_params.values())])


def _about(message: Message, minted: UUID, subject: UUID) -> Message:
    fields = [name for name in message.__struct_fields__ if getattr(message, name) == minted]
    return msgspec.structs.replace(message, **dict.fromkeys(fields, subject)) if fields else message


def _without_secrets(reply: Any) -> Any:
    return msgspec.structs.replace(reply, secret=None) if getattr(reply, "secret", None) is not None else reply


def given_answer(given: Given, headers: dict[str, str] | None = None) -> Response[bytes]:
    """Answer a request that has an `Idempotency-Key`, and show whether it is a repetition."""
    replayed = {"Idempotency-Replayed": "true"} if given.replayed else {}
    return json_answer(given.answer.body, status=given.answer.status, headers={**replayed, **(headers or {})})
