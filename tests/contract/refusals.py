"""By which errors a request may be refused, as whoever sends it relies on them: their codes, and what kind each of them is."""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

from pact import match

from libs.common.contracts import Message
from libs.common.errors import Conflict, Declined, Forbidden, Invalid, NotFound, PlatformError, Rejected, Unavailable
from services.api.books.routes.journal import _ENTRY_REFUSALS
from services.api.http.controllers import Declaration, routes_of
from services.api.routing import resources

REFUSED = {
    "account_roles.assign": "account_unknown",
    "customers.detach_method": "saved_payment_method_not_found",
    "customers.find_method": "saved_payment_method_not_found",
    "dead_letters.get": "dead_letter_not_found",
    "dead_letters.redrive": "dead_letter_not_found",
    "discrepancies.assign": "discrepancy_not_found",
    "discrepancies.decide": "discrepancy_not_found",
    "discrepancies.get": "discrepancy_not_found",
    "discrepancies.ignore": "discrepancy_not_found",
    "discrepancies.reopen": "discrepancy_not_found",
    "discrepancies.repair": "discrepancy_not_found",
    "discrepancies.resolve": "discrepancy_not_found",
    "entries.reverse": "entry_not_found",
    "holds.capture": "hold_not_found",
    "holds.get": "hold_not_found",
    "holds.place": "account_unknown",
    "holds.void": "hold_not_found",
    "imports.complete": "import_conflict",
    "journal.approve": "proposal_not_found",
    "journal.proposal": "proposal_not_found",
    "journal.reject": "proposal_not_found",
    "line_matches.add": "line_match_invalid",
    "line_matches.undo": "line_match_not_found",
    "policy.reject": "policy_change_decided",
    "reconciliation_periods.close": "reconciliation_period_open",
    "reconciliation_periods.get": "reconciliation_period_not_found",
    "replays.cancel": "webhook_replay_not_found",
    "replays.get": "webhook_replay_not_found",
    "reports.entry": "entry_not_found",
}
"""What the running services refuse to a tenant with one payment, and by which code (`test_replies.py`)."""
ALWAYS: tuple[type[PlatformError], ...] = (Invalid, Unavailable)
"""By what every request may be refused: its body breaks the contract, or the service cannot answer now."""
OF_ENTRIES = ("journal.post", "journal.propose", "journal.approve")
"""Requests whose answer says what is wrong with each entry: the route refuses for it, and the reply does not."""
_KINDS = (Rejected, Invalid, Forbidden, NotFound, Conflict, Declined, Unavailable)
"""What a requester tells apart."""


def refusals_of(request: type[Message]) -> list[type[PlatformError]]:
    """The errors by which a request may be refused: those of its owner that the route declares which sends it, and `REFUSED`."""
    contract = request.contract
    found = {error for error in _declared()[contract.name] if _owner(error) == contract.owner}
    if contract.name in OF_ENTRIES:
        found -= {*_ENTRY_REFUSALS}
    if contract.name in REFUSED:
        found.add(error_of(REFUSED[contract.name]))
    return sorted(found, key=lambda error: error.code)


def error_of(code: str) -> type[PlatformError]:
    """The class that declares a code; of the bases that share it the topmost one."""
    return next(kind for kind in _errors(PlatformError) if kind.__dict__.get("code") == code)


def kind_of(error: type[PlatformError]) -> str:
    """What travels of a class: its nearest ancestor that every service knows."""
    return next(base.__name__ for base in error.__mro__ if base in _KINDS)


def raised(error: type[PlatformError]) -> PlatformError:
    """One error of a class as its owner raises it, with violations where it has any."""
    if issubclass(error, Invalid):
        return error(error.meaning(), errors=(("/amount", "it is too large"),))
    return error(error.meaning())


def expected_refusal(error: type[PlatformError]) -> dict[str, Any]:
    """What the requester reads of a refusal: its kind, from which the status follows, its code, and what people read."""
    violations = {"errors": match.each_like([match.like("/amount"), match.like("it is too large")], min=1)}
    return {
        "kind": match.regex(kind_of(error), regex=f"^{kind_of(error)}$"),
        "code": match.regex(error.code, regex=f"^{error.code}$"),
        "detail": match.like(error.meaning()),
    } | (violations if issubclass(error, Invalid) else {})


def _owner(error: type[PlatformError]) -> str:
    """The service whose contract has an error; empty for those of nobody's contract."""
    module = error.__module__.removeprefix("libs.common.contracts.")
    return "" if module == error.__module__ else module.partition(".")[0].partition("_")[0]


def _errors(kind: type[PlatformError]) -> Iterator[type[PlatformError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _errors(below)


@cache
def _declared() -> dict[str, set[type[PlatformError]]]:
    """The refusals of the api's routes, by the name of the request that each of them sends to change something."""
    found: dict[str, set[type[PlatformError]]] = defaultdict(set)
    for route in routes_of(resources(is_local=True)):
        declared: Declaration = route.opt["declaration"]
        if declared.change is not None:
            found[declared.change.request.contract.name] |= {
                each for each in declared.refusals if issubclass(each, PlatformError)
            }
    return found
