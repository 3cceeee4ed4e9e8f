"""Feature flags: every tenant sees its own, operators of the platform set them."""

from litestar import Response

from libs.common.db import Database
from services.api.access import EVERY_TENANT, FEATURES, Directory, switch_feature
from services.api.access.schemas import FeatureFlag, SetFeatureFlag
from services.api.errors import FeatureUnknown, OperatorRequired
from services.api.http.bodies import BodyReader
from services.api.http.callers import PLATFORM_TENANT, Caller, Feature
from services.api.http.controllers import Resource, audit_action, operation
from services.api.http.parameters import AnyRequest, QueryParameter
from services.api.http.rendering import json_answer
from services.api.http.requests import refuse_key

_READ, _WRITE = "profile:read", "admin:write"
_PATH = (QueryParameter(name="name", description="The feature.", shape={"type": "string", "minLength": 1}),)

_SCOPE = (
    "For the tenant that the operator acts for; an operator who acts for the platform tenant sets the default of all "
    "tenants that have none of their own. Every process heeds it at once."
)


class FeatureFlags(Resource):
    """Routes: `GET /v1/feature-flags`, and `PUT` and `DELETE /v1/feature-flags/{name}`."""

    database: Database
    directory: Directory

    bodies = BodyReader(SetFeatureFlag)

    async def _shown(self, tenant_id: str) -> list[FeatureFlag]:
        return [
            FeatureFlag(
                name=state.feature,
                description=FEATURES[state.feature].meaning,
                is_enabled=state.is_enabled,
                source=state.source,
            )
            for state in await self.directory.features(tenant_id)
        ]

    async def _switched(self, caller: Caller, name: str, *, is_enabled: bool | None) -> Response[bytes]:
        feature, scope = _feature(name), EVERY_TENANT if caller.tenant_id == PLATFORM_TENANT else caller.tenant_id
        await switch_feature(
            self.database,
            feature.value,
            action=audit_action(),
            is_enabled=is_enabled,
            scope=scope,
            tenant_id=caller.tenant_id,
            actor=caller.actor,
            clock=self.clock,
            correlation=caller.correlation,
        )
        # The process that changed it does not wait for its own message.
        self.directory.forget(scope)
        return json_answer(next(flag for flag in await self._shown(caller.tenant_id) if flag.name is feature))

    @operation(
        "GET",
        "/v1/feature-flags",
        operation_id="listFeatureFlags",
        summary="List feature flags",
        description="Every feature that can be switched, as it is for the tenant, as a bare array.",
        tags=["operations"],
        answer=list[FeatureFlag],
        permission=_READ,
    )
    async def list_flags(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        return json_answer(await self._shown(caller.tenant_id))

    @operation(
        "PUT",
        "/v1/feature-flags/{name:str}",
        operation_id="setFeatureFlag",
        summary="Switch a feature on or off",
        description=_SCOPE,
        tags=["operations"],
        body=SetFeatureFlag,
        example={"is_enabled": True},
        answer=FeatureFlag,
        audit="feature_flag.set",
        permission=_WRITE,
        key="refused",
        path_parameters=_PATH,
        refusals=(OperatorRequired, FeatureUnknown),
        operator_for="feature_flags",
    )
    async def set_flag(self, caller: Caller, request: AnyRequest, name: str) -> Response[bytes]:
        requested = await self.bodies.take(await request.body())
        refuse_key(request.headers)
        return await self._switched(caller, name, is_enabled=requested.is_enabled)

    @operation(
        "DELETE",
        "/v1/feature-flags/{name:str}",
        operation_id="clearFeatureFlag",
        summary="Let the more general setting hold again",
        description=_SCOPE,
        tags=["operations"],
        answer=FeatureFlag,
        audit="feature_flag.clear",
        permission=_WRITE,
        key="refused",
        path_parameters=_PATH,
        refusals=(OperatorRequired, FeatureUnknown),
        operator_for="feature_flags",
    )
    async def clear_flag(self, caller: Caller, request: AnyRequest, name: str) -> Response[bytes]:
        refuse_key(request.headers)
        return await self._switched(caller, name, is_enabled=None)


def _feature(name: str) -> Feature:
    try:
        return Feature(name)
    except ValueError as fault:
        raise FeatureUnknown() from fault
