"""What an own unit may be. Pure."""

from collections.abc import Mapping

from libs.common.contracts.ledger_errors import UnitInvalid
from libs.common.money import is_own_unit

UNITS_MAX = 200
"""Own units that a tenant may have."""

NAME_LENGTH_MAX = 100

_FORM = (
    "code must be two capital letters and a digit: at the end it is the number of decimals (PT2), in the middle ten more, "
    "up to 18 (E8T)"
)


def check_unit(code: str, name: str) -> None:
    """Check that an own unit can have this code and this name.

    Raises:
        UnitInvalid: naming each that cannot be.
    """
    faults: list[tuple[str, str]] = []
    if not is_own_unit(code):
        faults.append(("/code", _FORM))
    if not 1 <= len(name) <= NAME_LENGTH_MAX:
        faults.append(("/name", f"name must have 1 to {NAME_LENGTH_MAX} characters"))
    elif name != name.strip() or not name.isprintable():
        faults.append(("/name", "name must be printable, without spaces around it"))
    if faults:
        raise UnitInvalid("; ".join(sentence for _, sentence in faults), errors=tuple(faults))


def missing_unit(code: str) -> str:
    """Say that a tenant has no such own unit, and what to do."""
    return f"the tenant has no own unit {code}: POST /v1/ledger/units adds it"


def differing_exponents(stored: Mapping[str, int], known: Mapping[str, int]) -> list[str]:
    """Name the currencies whose amounts were written with other decimals than this version reads; one that it does not know is none."""
    return [
        f"{code} has {exponent} decimals in the books and {known[code]} in this version"
        for code, exponent in sorted(stored.items())
        if known.get(code, exponent) != exponent
    ]
