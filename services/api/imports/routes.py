"""Files of processors and banks: their sources, and their imports; the gateway answers over the broker."""

import re
from uuid import UUID

import msgspec
from litestar import Response

from libs.common.contracts.gateway_errors import (
    FileTooLarge,
    ImportConflict,
    ImportNotFound,
    ImportSourceInvalid,
    ImportSourceNotFound,
    ImportSourceUsed,
)
from libs.common.contracts.gateway_imports import (
    PIECE_BYTES_MAX,
    AddImportPiece,
    CompleteImport,
    DeleteImportSource,
    FieldMap,
    GetImport,
    GetImportSource,
    ListImports,
    ListImportSources,
    PutImportSource,
    StartImport,
)
from services.api.http.bodies import BodyReader, NoMembers, require_one_line, require_storable, take_nothing
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation, resource_id
from services.api.http.parameters import AnyRequest, Query, QueryParameter, path_id, wrong
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask, refuse_key
from services.api.imports.schemas import (
    FileImportBody,
    PutSource,
    SourceBody,
    StartFileImport,
    import_body,
    source_body,
)

_WRITE = "admin:write"
IMPORTS, IMPORTS_MAX = 50, 200
PARTS_MAX = 10_000
"""Parts of one file."""
_NUMBER = re.compile(r"[1-9][0-9]{0,4}\Z", re.ASCII)
_PART = (
    QueryParameter(
        name="number",
        description="Which part of the file, from 1.",
        shape={"type": "integer", "minimum": 1, "maximum": PARTS_MAX},
        required=True,
    ),
)
_EXAMPLE = {
    "name": "Bank account in euros",
    "format": "csv",
    "fields": {"date": "Buchungstag", "amount": "Betrag", "currency_code": "EUR", "delimiter": ";", "decimal": ","},
    "time_zone": "Europe/Berlin",
}


class FileImports(Resource):
    """Routes of sources and imports."""

    ask: Ask

    sources, files = BodyReader(PutSource), BodyReader(StartFileImport)

    @operation(
        "POST",
        "/v1/reconciliation/sources",
        operation_id="createImportSource",
        summary="Add a source of files",
        description="A bank or processor whose files are imported, and how they are read.",
        tags=["reconciliation"],
        body=PutSource,
        example=_EXAMPLE,
        answer=SourceBody,
        permission=_WRITE,
        status=201,
        refusals=(ImportSourceInvalid, ImportSourceNotFound, ImportSourceUsed),
        change=Change(PutImportSource, "gateway.put_import_source", target="source_id"),
    )
    async def create_source(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        requested = await self.sources.take(await request.body())
        added = await self.ask(_put(caller, resource_id(), requested, must_exist=False))
        return json_answer(source_body(added), status=201)

    @operation(
        "GET",
        "/v1/reconciliation/sources",
        operation_id="listImportSources",
        summary="List sources of files",
        description="Newest first, as a bare array.",
        tags=["reconciliation"],
        answer=list[SourceBody],
        permission=_WRITE,
    )
    async def list_sources(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        found = await self.ask(ListImportSources(tenant_id=caller.tenant_id))
        return json_answer([source_body(source) for source in found.sources])

    @operation(
        "GET",
        "/v1/reconciliation/sources/{source_id:str}",
        operation_id="getImportSource",
        summary="Get a source of files",
        tags=["reconciliation"],
        answer=SourceBody,
        permission=_WRITE,
        refusals=(ImportSourceNotFound,),
    )
    async def get_source(self, caller: Caller, request: AnyRequest, source_id: str) -> Response[bytes]:
        found = await self.ask(GetImportSource(tenant_id=caller.tenant_id, source_id=path_id(source_id, "source_id")))
        return json_answer(source_body(found))

    @operation(
        "PUT",
        "/v1/reconciliation/sources/{source_id:str}",
        operation_id="replaceImportSource",
        summary="Change how the files of a source are read",
        description="The name at any time; how files are read as long as no line of it is imported.",
        tags=["reconciliation"],
        body=PutSource,
        example=_EXAMPLE,
        answer=SourceBody,
        permission=_WRITE,
        refusals=(ImportSourceInvalid, ImportSourceNotFound, ImportSourceUsed),
        change=Change(PutImportSource, "gateway.put_import_source", target="source_id"),
    )
    async def replace_source(self, caller: Caller, request: AnyRequest, source_id: str) -> Response[bytes]:
        requested = await self.sources.take(await request.body())
        changed = await self.ask(_put(caller, path_id(source_id, "source_id"), requested, must_exist=True))
        return json_answer(source_body(changed))

    @operation(
        "DELETE",
        "/v1/reconciliation/sources/{source_id:str}",
        operation_id="deleteImportSource",
        summary="Delete a source of files",
        description="No new file of it is taken; what is imported stays.",
        tags=["reconciliation"],
        permission=_WRITE,
        status=204,
        refusals=(ImportSourceNotFound,),
        change=Change(DeleteImportSource, "gateway.delete_import_source", target="source_id"),
    )
    async def delete_source(self, caller: Caller, request: AnyRequest, source_id: str) -> None:
        await self.ask(DeleteImportSource(tenant_id=caller.tenant_id, source_id=path_id(source_id, "source_id")))

    @operation(
        "POST",
        "/v1/reconciliation/imports",
        operation_id="startImport",
        summary="Begin to import a file",
        description="Then its parts are sent, and it is completed. A file that the source has sent before, by its checksum, is "
        "answered 200 with the import that it had: `status` says whether anything is left to be sent.",
        tags=["reconciliation"],
        body=StartFileImport,
        answer=FileImportBody,
        permission=_WRITE,
        status=201,
        known=True,
        refusals=(ImportSourceNotFound, ImportConflict, FileTooLarge),
        change=Change(StartImport, "gateway.start_import", target="import_id", answered="id"),
    )
    async def start_import(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        requested = await self.files.take(await request.body())
        require_one_line({"/file_name": requested.file_name})
        begun = await self.ask(
            StartImport(
                tenant_id=caller.tenant_id,
                import_id=resource_id(),
                source_id=path_id(requested.source_id, "source_id"),
                file_name=requested.file_name,
                size_bytes=requested.size_bytes,
                sha256=requested.sha256,
            )
        )
        return json_answer(import_body(begun), status=200 if begun.is_known else 201)

    @operation(
        "GET",
        "/v1/reconciliation/imports",
        operation_id="listImports",
        summary="List imports",
        description="Newest first, as a bare array, without their errors.",
        tags=["reconciliation"],
        answer=list[FileImportBody],
        permission=_WRITE,
        query=(
            QueryParameter(
                name="source_id", description="Of this source alone.", shape={"type": "string", "format": "uuid"}
            ),
            QueryParameter(
                name="limit",
                description="Imports at most.",
                shape={"type": "integer", "minimum": 1, "maximum": IMPORTS_MAX, "default": IMPORTS},
            ),
        ),
    )
    async def list_imports(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        found = await self.ask(
            ListImports(
                tenant_id=caller.tenant_id,
                source_id=query.identifier("source_id"),
                limit=query.integer("limit", default=IMPORTS, at_least=1, at_most=IMPORTS_MAX),
            )
        )
        return json_answer([import_body(each) for each in found.imports])

    @operation(
        "GET",
        "/v1/reconciliation/imports/{import_id:str}",
        operation_id="getImport",
        summary="Get an import",
        description="With what is wrong in the file, line by line, where it was rejected.",
        tags=["reconciliation"],
        answer=FileImportBody,
        permission=_WRITE,
        refusals=(ImportNotFound,),
    )
    async def get_import(self, caller: Caller, request: AnyRequest, import_id: str) -> Response[bytes]:
        found = await self.ask(GetImport(tenant_id=caller.tenant_id, import_id=path_id(import_id, "import_id")))
        return json_answer(import_body(found))

    @operation(
        "PUT",
        "/v1/reconciliation/imports/{import_id:str}/parts/{number:str}",
        operation_id="putImportPart",
        summary="Send a part of a file",
        description="Its bytes, in any order of parts; together they are the file. A part that is sent again replaces what came of "
        "it before.",
        tags=["reconciliation"],
        is_binary=True,
        permission=_WRITE,
        status=204,
        key="refused",
        path_parameters=_PART,
        refusals=(ImportNotFound, ImportConflict),
    )
    async def put_part(self, caller: Caller, request: AnyRequest, import_id: str, number: str) -> None:
        refuse_key(request.headers)
        found = path_id(import_id, "import_id")
        if not _NUMBER.match(number) or int(number) > PARTS_MAX:
            raise wrong("number", f"must be a whole number from 1 to {PARTS_MAX}")
        content = await request.body()
        if not content:
            raise wrong("body", "must be the bytes of the part")
        for piece, start in enumerate(range(0, len(content), PIECE_BYTES_MAX)):
            await self.ask(
                AddImportPiece(
                    tenant_id=caller.tenant_id,
                    import_id=found,
                    part=int(number),
                    piece=piece,
                    content=content[start : start + PIECE_BYTES_MAX],
                )
            )

    @operation(
        "POST",
        "/v1/reconciliation/imports/{import_id:str}/complete",
        operation_id="completeImport",
        summary="Let a file be read",
        description="Once all its bytes have come. It is read afterwards: read the import until its `status` is `IMPORTED` or "
        "`REJECTED`. Again is success.",
        tags=["reconciliation"],
        body=NoMembers,
        answer=FileImportBody,
        permission=_WRITE,
        status=202,
        refusals=(ImportNotFound, ImportConflict),
        change=Change(CompleteImport, "gateway.complete_import", target="import_id"),
    )
    async def complete_import(self, caller: Caller, request: AnyRequest, import_id: str) -> Response[bytes]:
        await take_nothing(await request.body())
        found = await self.ask(CompleteImport(tenant_id=caller.tenant_id, import_id=path_id(import_id, "import_id")))
        return json_answer(import_body(found), status=202)


def _put(caller: Caller, source_id: UUID, requested: PutSource, *, must_exist: bool) -> PutImportSource:
    require_one_line({"/name": requested.name, "/time_zone": requested.time_zone})
    fields = requested.fields
    if fields is not None:
        require_storable({"/fields": msgspec.json.encode(fields).decode().replace("\\u0000", "\0")})
    return PutImportSource(
        tenant_id=caller.tenant_id,
        source_id=source_id,
        name=requested.name,
        format=requested.format,
        fields=None if fields is None else FieldMap(**msgspec.structs.asdict(fields)),
        time_zone=requested.time_zone,
        encoding=requested.encoding,
        reversal_turns_sign=requested.reversal_turns_sign,
        must_exist=must_exist,
    )
