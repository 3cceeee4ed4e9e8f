"""How the ledger fails where nobody outside it learns the code; what it refuses others is in its contract."""

from libs.common.errors import Invalid


class RoleActorInvalid(Invalid):
    """A change of the configuration without somebody who makes it."""

    code = "account_role_actor_invalid"


class TenantInvalid(Invalid):
    """A tenant whose id no table can hold."""

    code = "tenant_invalid"
