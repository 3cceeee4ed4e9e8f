"""How the ledger says no, by name. Each has a stable problem code of its own."""

from libs.common.errors import Conflict, Invalid


class EntryInvalid(Invalid):
    """A line or the entry as a whole says something that no book can hold."""

    code = "entry_invalid"


class EntryUnbalanced(Invalid):
    """The debits of an entry are not equal to its credits."""

    code = "entry_unbalanced"


class CurrencyMixed(Invalid):
    """The lines of one entry are in more than one currency."""

    code = "entry_currency_mixed"


class AccountUnknown(Invalid):
    """A line names an account that is not in the tenant's chart."""

    code = "account_unknown"


class EntryConflict(Conflict):
    """The entry's id stands in the books already, with other content."""

    code = "entry_conflict"


class BalanceOverflow(Conflict):
    """A posting would take an account's debits or credits beyond what the books can hold."""

    code = "balance_overflow"


class AccountCodeTaken(Conflict):
    """The tenant's chart has an account of this code already."""

    code = "account_code_taken"


class AccountIdTaken(Conflict):
    """The tenant's chart has an account of this id already, with other content."""

    code = "account_id_taken"


class AccountInvalid(Invalid):
    """An account's code or label cannot be used."""

    code = "account_invalid"


class RoleUnfit(Invalid):
    """An account of this type cannot play the role."""

    code = "account_role_unfit"


class RoleConflict(Conflict):
    """The account plays a role already that a posting rule sets against this one."""

    code = "account_role_conflict"


class RoleActorInvalid(Invalid):
    """A change of the configuration without somebody who makes it."""

    code = "account_role_actor_invalid"


class QueryInvalid(Invalid):
    """A question that cannot be answered as it is put."""

    code = "query_invalid"
