"""Dead letters: each service has its own and answers for them over the broker. They are of all tenants, so for operators alone."""

import asyncio
from typing import get_args

import msgspec
from litestar import Response

from libs.common.contracts.dead_letters import (
    GETS,
    LISTED_MAX,
    LISTS,
    REDRIVES,
    DeadLetterList,
    DeadLetterNotFound,
    DeadLetterUnreadable,
)
from libs.common.errors import Unavailable
from services.api.dead_letters.schemas import (
    DeadLetterBody,
    DeadLetterQueueBody,
    DeadLettersBody,
    RedrivenBody,
    Service,
    ShownDeadLetterBody,
    letter_body,
)
from services.api.http.bodies import NoMembers, take_nothing
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation
from services.api.http.parameters import AnyRequest, Query, QueryParameter, path_id, wrong
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask

LETTERS = 50
SERVICES: tuple[Service, ...] = get_args(Service.__value__)
_OPERATORS = "dead letters"
_PERMISSION = "admin:write"
_SERVICE = {"type": "string", "enum": [*SERVICES]}
_PATH = (QueryParameter(name="service", description="Whose it is.", shape=_SERVICE),)


class DeadLetters(Resource):
    """Routes: `GET /v1/dead-letters`, `GET /v1/dead-letters/{service}/{letter_id}` and `POST .../redrive`."""

    ask: Ask

    @operation(
        "GET",
        "/v1/dead-letters",
        operation_id="listDeadLetters",
        summary="List dead letters",
        description="Messages that services could not handle, of all tenants, the oldest first, without their content. "
        "Where one service is named that does not answer: 503; else the others are listed, and `unavailable` names it.",
        tags=["operations"],
        answer=DeadLettersBody,
        permission=_PERMISSION,
        operator_for=_OPERATORS,
        query=(
            QueryParameter(name="service", description="Of this service alone.", shape=_SERVICE),
            QueryParameter(
                name="queue", description="Of this queue alone.", shape={"type": "string", "maxLength": 256}
            ),
            QueryParameter(
                name="limit",
                description="Letters at most.",
                shape={"type": "integer", "minimum": 1, "maximum": LISTED_MAX, "default": LETTERS},
            ),
        ),
    )
    async def list_dead_letters(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        limit = query.integer("limit", default=LETTERS, at_least=1, at_most=LISTED_MAX)
        queue = query.text("queue") or ""
        named = query.text("service")
        if named is not None:
            service = _service(named)
            found = {service: await self._listed(service, queue, limit=limit)}
        else:
            answers = await asyncio.gather(*(self._listed_if_there(each, queue, limit=limit) for each in SERVICES))
            found = {each: answer for each, answer in zip(SERVICES, answers, strict=True) if answer is not None}
        now = self.clock.now()
        letters = [
            letter_body(service, letter, now=now) for service, answer in found.items() for letter in answer.letters
        ]
        body = DeadLettersBody(
            data=sorted(letters, key=lambda letter: letter.failed_at or "")[:limit],
            queues=[
                DeadLetterQueueBody(service=service, queue=each.queue, count=each.count)
                for service, answer in found.items()
                for each in answer.queues
            ],
            unavailable=[] if named is not None else [each for each in SERVICES if each not in found],
        )
        return json_answer(body)

    async def _listed(self, service: Service, queue: str, *, limit: int) -> DeadLetterList:
        listed: DeadLetterList = await self.ask(LISTS[service](queue=queue, limit=limit))
        return listed

    async def _listed_if_there(self, service: Service, queue: str, *, limit: int) -> DeadLetterList | None:
        try:
            return await self._listed(service, queue, limit=limit)
        except Unavailable:
            return None

    @operation(
        "GET",
        "/v1/dead-letters/{service:str}/{letter_id:str}",
        operation_id="getDeadLetter",
        summary="Get a dead letter",
        description="With its content, of which what is secret, identifies a person or is a card number is left out.",
        tags=["operations"],
        answer=ShownDeadLetterBody,
        permission=_PERMISSION,
        operator_for=_OPERATORS,
        path_parameters=_PATH,
        refusals=(DeadLetterNotFound,),
    )
    async def get_dead_letter(
        self, caller: Caller, request: AnyRequest, service: str, letter_id: str
    ) -> Response[bytes]:
        owner = _service(service)
        shown = await self.ask(GETS[owner](letter_id=path_id(letter_id, "letter_id")))
        listed: DeadLetterBody = letter_body(owner, shown.letter, now=self.clock.now())
        body = ShownDeadLetterBody(**msgspec.structs.asdict(listed), body=shown.body, omitted=shown.omitted or None)
        return json_answer(body, headers={"Cache-Control": "no-store"})

    @operation(
        "POST",
        "/v1/dead-letters/{service:str}/{letter_id:str}/redrive",
        operation_id="redriveDeadLetter",
        summary="Redrive a dead letter",
        description="Has it handled again, once its cause is gone. Again it is success, as long as it has not failed again.",
        tags=["operations"],
        body=NoMembers,
        answer=RedrivenBody,
        permission=_PERMISSION,
        operator_for=_OPERATORS,
        path_parameters=_PATH,
        refusals=(DeadLetterNotFound, DeadLetterUnreadable),
        change=Change(
            REDRIVES["api"],
            "platform.redrive_dead_letter",
            target="letter_id",
            others=tuple(kind for service, kind in REDRIVES.items() if service != "api"),
        ),
    )
    async def redrive_dead_letter(
        self, caller: Caller, request: AnyRequest, service: str, letter_id: str
    ) -> Response[bytes]:
        owner = _service(service)
        await take_nothing(await request.body())
        done = await self.ask(REDRIVES[owner](letter_id=path_id(letter_id, "letter_id"), actor=caller.actor))
        return json_answer(
            RedrivenBody(id=str(done.letter_id), service=owner, queue=done.queue or None, is_repeated=done.is_repeated)
        )


def _service(text: str) -> Service:
    for service in SERVICES:
        if text == service:
            return service
    raise wrong("service", f"must be one of {', '.join(SERVICES)}")
