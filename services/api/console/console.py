"""The console: pages that operators and accountants work with, made of nothing but calls of the API."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from litestar import Response

from libs.common.errors import IdempotencyKeyReused
from libs.common.ids import new_id
from services.api.console.bulk import do_bulk, show_bulk
from services.api.console.calling import Answer, Refused
from services.api.console.declared import Detail, Listing, Page, View
from services.api.console.entrance import START, local
from services.api.console.exporting import export_rows
from services.api.console.forms import Field, WrongField, body_of, fields_of, values_of
from services.api.console.operations import Operation, Operations
from services.api.console.pages import GROUPS, PAGES
from services.api.console.pages.payment import left_of
from services.api.console.rendering import page, redirect, rendered
from services.api.console.sessions import COOKIE
from services.api.console.showing import linked, rows_of, segment, show_detail, show_listing, with_done
from services.api.console.visits import Visit

_SHOWN_ONCE = frozenset({"createApiKey", "rotateApiKey", "createWebhook", "rotateWebhookSecret"})
"""Operations whose answer has a secret that is never shown again."""
_SHOWN_AFTERWARDS = frozenset(
    {"replayWebhook", "testWebhook", "refreshReports", "decideDiscrepancies", "revalueCurrencies", "closeYear"}
)
"""Operations whose answer is what they are done for."""
_LEADS_TO = {
    "startReconciliation": "/console/runs/{id}",
    "createConversion": "/console/conversions/{id}",
    "createImportSource": "/console/sources/{id}",
    "placeHold": "/console/holds/{id}",
    "reverseLedgerEntry": "/console/entries/{id}",
    "closeReconciliationPeriod": "/console/months/{month}",
    "replayWebhook": "/console/replays/{id}",
}
"""Where one is after an operation that makes something: its page."""
_WITHOUT_SUBJECT = frozenset({"closeReconciliationPeriod"})
"""Operations that make what their address names."""
_UNAUTHORIZED, _NOT_FOUND, _UNPROCESSABLE = 401, 404, 422
_SENT_BEFORE = (
    "This form was sent before with other values, and that was done. Send it once more only if this is to be done too."
)


class Console:
    """Shows pages, and does what their forms request."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._pages = {page_.key: page_ for page_ in PAGES}

    async def show(self, visit: Visit, key: str, thing_id: str | None = None) -> Response[bytes]:
        """Show a page, or the page of one of its things."""
        found = self._pages.get(key)
        try:
            visit.key = key
            if found is not None and visit.session.tenant_id and not await visit.may(found.needs):
                # Without a tenant the API says what is missing.
                return await self.refuse(visit, forbidden(visit, self._operations[found.needs]))
            view = None if found is None else await _view(found, visit, thing_id)
        except Refused as fault:
            return await self.refuse(visit, fault)
        if view is None:
            return await self.refuse(visit, not_found())
        if view.leads_to:
            return redirect(view.leads_to)
        return await self._full(visit, view, current=found, thing_id=thing_id)

    async def send(self, visit: Visit, key: str, form: Mapping[str, str]) -> Response[bytes]:
        """Do what a page's own form requests."""
        found = self._pages.get(key)
        if found is None or found.send is None or not await visit.may(found.needs):
            return await self.refuse(visit, not_found())
        try:
            shown = await found.send(visit, form)
        except Refused as fault:
            return await self.refuse(visit, fault)
        return redirect(shown) if isinstance(shown, str) else await self._full(visit, shown, current=found)

    async def _full(
        self,
        visit: Visit,
        view: View,
        *,
        current: Page | None = None,
        thing_id: str | None = None,
        status: int = 200,
        retry_after: str = "",
    ) -> Response[bytes]:
        done = visit.session.read(visit.query.get("done", ""))
        values = {
            **view.values,
            "title": view.title,
            "page": current,
            "menu": await self._menu(visit),
            "visit": visit,
            "address": local_address(current, visit, thing_id),
            "done": self._operations[done].summary if done in self._operations else "",
        }
        headers = {"Retry-After": retry_after} if retry_after else {}
        # In a thread: a long table takes tens of milliseconds, in which nobody else would be served.
        content = await asyncio.to_thread(rendered, view.template, values, visit.preferences)
        return page(content, status=status, headers=headers)

    async def _menu(self, visit: Visit) -> list[tuple[str, list[Page]]]:
        found = []
        for group in GROUPS:
            pages = [one for one in PAGES if one.group == group and await visit.may(one.needs)]
            if pages:
                found.append((group, pages))
        return found

    async def refuse(self, visit: Visit, fault: Refused) -> Response[bytes]:
        """Show why something is not shown or done."""
        if fault.status == _UNAUTHORIZED:
            response = redirect("/console/login")
            response.delete_cookie(COOKIE, path="/console")
            return response
        if fault.problem.get("code") == "missing_tenant":
            fault = _refused(400, "missing_tenant", "Choose at the top right for which tenant you act.")
        view = View(template="refused.html", values={"fault": fault})
        return await self._full(visit, view, status=fault.status, retry_after=fault.retry_after)

    async def act_on_many(self, visit: Visit, operation: Operation, form: Mapping[str, str]) -> Response[bytes]:
        """Show the rows that are chosen of a list, or carry out an operation for each of them."""
        found = self._pages.get(form.get("page", ""))
        offered = found.show.bulk if found is not None and isinstance(found.show, Listing) else ()
        if found is None or operation.id not in {act.operation for act in offered}:
            return await self.refuse(visit, not_found())
        if not await visit.may(operation.id):
            return await self.refuse(visit, forbidden(visit, operation))
        do = do_bulk if form.get("go") else show_bulk
        view = await do(visit, found, operation, form, back=local(form.get("back", "")))
        return await self._full(visit, view, current=found)

    async def export(self, visit: Visit, key: str) -> Response[Any]:
        """Answer the rows of a list as a file."""
        found = self._pages.get(key)
        if found is None or not isinstance(found.show, Listing) or found.show.file is None:
            return await self.refuse(visit, not_found())
        try:
            return await export_rows(visit, found, found.show)
        except Refused as fault:
            return await self.refuse(visit, fault)

    async def show_act(
        self,
        visit: Visit,
        operation: Operation,
        *,
        path: Mapping[str, str],
        written: Mapping[str, str] | None = None,
        before: Mapping[str, str] | None = None,
        fault: Refused | WrongField | None = None,
        key: str = "",
        back: str = "",
    ) -> Response[bytes]:
        """Show the form by which an operation is carried out, with what it is about.

        One that was refused is shown with what was `written`, and what was there `before`: what somebody else has
        changed meanwhile would else be taken for a change of this form.
        """
        if not await visit.may(operation.id):
            return await self.refuse(visit, forbidden(visit, operation))
        fields = await self._fields(operation)
        try:
            subject = await self._subject(visit, operation, path)
        except Refused as refused:
            if fault is None or refused.status == _UNAUTHORIZED:
                return await self.refuse(visit, refused)
            # What was written is not lost for want of what it is about.
            subject = None
        now = values_of(fields, subject) if operation.method in {"PATCH", "PUT"} and subject else {}
        values = {
            "operation": operation,
            "fields": fields,
            "path": path,
            "is_named": operation.id in _WITHOUT_SUBJECT,
            "before": before or now,
            "written": {**_minted(fields), **now, **visit.query, **(written or {})},
            "subject": subject,
            "left": left_of(subject).get(operation.id) if isinstance(subject, Mapping) else None,
            "fault": fault if isinstance(fault, Refused) else None,
            "wrong": fault if isinstance(fault, WrongField) else None,
            "key": key or str(new_id()),
            "back": local(back) or local(visit.query.get("back", "")),
        }
        status = fault.status if isinstance(fault, Refused) else _UNPROCESSABLE if fault else 200
        view = View(template="act.html", values=values, title=operation.summary)
        retry_after = fault.retry_after if isinstance(fault, Refused) else ""
        return await self._full(visit, view, status=status, retry_after=retry_after)

    async def act(self, visit: Visit, operation: Operation, form: Mapping[str, str]) -> Response[bytes]:
        """Carry out an operation with what its form has."""
        path = {name: form.get(f"path.{name}", "") for name in operation.parameters}
        back, key = local(form.get("back", "")), form.get("_key", "")
        written = {name.removeprefix("f."): value for name, value in form.items() if name.startswith("f.")}
        before = {name.removeprefix("was."): value for name, value in form.items() if name.startswith("was.")}
        fields = await self._fields(operation)
        try:
            body = body_of(fields, written, before if operation.method == "PATCH" else None)
            # Its key goes with the form: sent twice, it is done once.
            keyed = operation.declaration.key != "refused"
            answer = await visit.call(
                operation.id,
                path=path,
                body=body if fields else None if operation.declaration.body is None else {},
                headers={"idempotency-key": key} if keyed and key else None,
            )
        except (Refused, WrongField) as fault:
            if isinstance(fault, Refused):
                if fault.status == _UNAUTHORIZED:
                    return await self.refuse(visit, fault)
                if not fault.may_be_done:
                    # What is sent next is another request, which its old key would refuse.
                    key = ""
                fault = _explained(fault)
            return await self.show_act(
                visit, operation, path=path, written=written, before=before, fault=fault, key=key, back=back
            )
        made = linked(_LEADS_TO.get(operation.id, ""), answer.json() or {}) if operation.id in _LEADS_TO else ""
        if not made and operation.id in _SHOWN_ONCE | _SHOWN_AFTERWARDS:
            values = {
                "operation": operation,
                "answer": answer.json(),
                "back": back,
                "once": operation.id in _SHOWN_ONCE,
            }
            return await self._full(visit, View(template="answered.html", values=values, title=operation.summary))
        address = back or START
        if operation.method == "DELETE" and urlsplit(back).path.rsplit("/", 1)[-1] in path.values():
            # Its own page is no more.
            address = urlsplit(back).path.rsplit("/", 1)[0]
        return redirect(with_done(made or address, operation.id, visit.session))

    async def _fields(self, operation: Operation) -> list[Field]:
        # In a thread: the first time, the document of the whole API is made.
        return await asyncio.to_thread(fields_of, self._operations, operation)

    async def _subject(self, visit: Visit, operation: Operation, path: Mapping[str, str]) -> Any:
        """Read what an operation is about: what its own address, or the one above it, answers to a GET."""
        if operation.id in _WITHOUT_SUBJECT:
            return None
        steps = operation.path.split("/")
        for length in range(len(steps), 2, -1):
            above = "/".join(steps[:length])
            reading = self._operations.reading(above)
            if reading is None or not await visit.may(reading.id):
                continue
            if not reading.parameters and (operation.method not in {"PATCH", "PUT"} or above != operation.path):
                continue
            if not all(path.get(name) for name in reading.parameters):
                # It is made by this, and the form has a field for its name.
                return None
            try:
                return await visit.read(reading.id, path={name: path[name] for name in reading.parameters})
            except Refused as refused:
                if reading.parameters or refused.status != _NOT_FOUND:
                    raise
                # The one of the tenant is made by this.
                return None
        return await self._listed(visit, operation, path)

    async def _listed(self, visit: Visit, operation: Operation, path: Mapping[str, str]) -> Any:
        """Find what an operation is about in the list of such things, where none is read alone."""
        if len(operation.parameters) != 1 or not path.get(operation.parameters[0]):
            return None
        (name,) = operation.parameters
        above = operation.path.partition(f"/{{{name}}}")[0]
        listing = self._operations.reading(above)
        if listing is None or not await visit.may(listing.id):
            return None
        rows = rows_of(await visit.read(listing.id))
        return next((row for row in rows if path[name] in {row.get("id"), row.get(name)}), None)


def _minted(fields: list[Field]) -> dict[str, str]:
    # What its caller names is named here, once for each form.
    return {field.name: str(new_id()) for field in fields if field.name == "id" and field.required}


async def _view(shown: Page, visit: Visit, thing_id: str | None) -> View | None:
    if thing_id is None:
        match shown.show:
            case None:
                return None
            case Listing() as listing:
                return await show_listing(listing, visit)
            case show:
                return await show(visit)
    match shown.one:
        case None:
            return None
        case Detail() as detail:
            return await show_detail(detail, visit, thing_id)
        case show_one:
            return await show_one(visit, thing_id)


def local_address(current: Page | None, visit: Visit, thing_id: str | None = None) -> str:
    """Return where the browser is, for the forms that come back to it."""
    if current is None:
        return START
    query = urlencode([pair for pair in visit.query.items() if pair[0] != "done"])
    thing = "" if thing_id is None else f"/{segment(thing_id)}"
    return f"/console/{current.key}{thing}" + (f"?{query}" if query else "")


def _explained(fault: Refused) -> Refused:
    if fault.problem.get("code") != IdempotencyKeyReused.code:
        return fault
    return _refused(fault.status, IdempotencyKeyReused.code, _SENT_BEFORE)


def not_found() -> Refused:
    """Say that there is no such page."""
    return _refused(404, "not_found", "There is no such page.")


def forbidden(visit: Visit, operation: Operation) -> Refused:
    """Say that whoever has logged in may not do something."""
    detail = visit.text("You may not do this: {what}.", what=visit.text(operation.summary))
    return _refused(403, "access_denied", detail)


def _refused(status: int, code: str, detail: str) -> Refused:
    return Refused(Answer.problem(status, code, detail))
