"""What a route declares about its query, and nothing else: unknown, doubled and wrong parameters are refused by name.

The declaration is the one that OpenAPI shows, so that no parameter is documented and not checked, or the reverse.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from libs.common.cards import has_card_number
from libs.common.errors import Invalid
from libs.common.ids import parse_id
from services.api.http.callers import object_if_wrong, objection
from services.api.http.controllers import Declaration
from services.api.http.parameters import AnyRequest, QueryParameter
from services.api.http.texts import Reading, card_number_refusal, reading
from services.api.settings import CardNumbers

_INTEGER = re.compile(r"-?\d{1,18}\Z", re.ASCII)
_VIOLATIONS_MAX = 100
_NAME_LENGTH_MAX = 64
_NUMBERS = frozenset({"amount", "order_id", "orderId", "cursor"})
"""Parameters that are numbers by nature: amounts, and the numbers of orders."""


class Declared:
    """Comes before every route and looks at what was sent with the request.

    Not a guard, for each of which the framework copies the handler of the route, at every request.
    """

    def __init__(self, cards: CardNumbers) -> None:
        self._cards = cards

    async def __call__(self, request: AnyRequest) -> None:
        """Check the query of a request; what is wrong is reported once the caller is admitted.

        Raises:
            Invalid: at once, where the route admits everybody.
        """
        reading.set(Reading(self._cards, request))
        if not request.scope["query_string"]:
            objection.set(None)
            return
        declaration: Declaration | None = request.route_handler.opt.get("declaration")
        if declaration is None:
            return
        given = request.query_params.dict()
        given = {name: values for name, values in given.items() if name not in declaration.ignored}
        objection.set(self._fault(given, {parameter.name: parameter for parameter in declaration.query}))
        if not (declaration.permission or declaration.bearer):
            object_if_wrong()

    def _fault(self, given: Mapping[str, list[str]], known: Mapping[str, QueryParameter]) -> Exception | None:
        if self._cards is not CardNumbers.ALLOW:
            holding = [
                name
                for name, values in given.items()
                if name not in _NUMBERS and any(has_card_number(text) for text in (name, *values))
            ]
            if holding:
                return card_number_refusal([name[:_NAME_LENGTH_MAX] for name in holding])
        violations = list(query_violations(given, known))
        if not violations:
            return None
        first = f"{violations[0][0]} {violations[0][1]}"
        detail = first if len(violations) == 1 else "the query is invalid"
        return Invalid(detail, errors=tuple(violations[:_VIOLATIONS_MAX]))


def query_violations(given: Mapping[str, list[str]], known: Mapping[str, QueryParameter]) -> Iterator[tuple[str, str]]:
    """Name what is wrong with the parameters that were given, by what is declared; an empty one counts as absent."""
    for name, values in sorted(given.items()):
        parameter = known.get(name)
        if parameter is None:
            yield name[:_NAME_LENGTH_MAX], "is not a parameter of this route"
        elif len(values) > 1:
            yield name, "is there more than once"
        elif values[0] and (sentence := _sentence(parameter.shape, values[0])) is not None:
            yield name, sentence


def _sentence(shape: Mapping[str, Any], value: str) -> str | None:
    if shape["type"] == "integer":
        least, most = shape["minimum"], shape["maximum"]
        if not _INTEGER.match(value) or not least <= int(value) <= most:
            return f"must be a whole number from {least} to {most}"
    elif "enum" in shape:
        # Some lists take several, separated by commas; which ones do is the route's to say.
        if not {part.strip() for part in value.split(",")} <= set(shape["enum"]):
            return f"must be one of {', '.join(shape['enum'])}"
    elif shape.get("format") == "uuid":
        if parse_id(value) is None:
            return "must be a UUID"
    elif len(value) > shape.get("maxLength", len(value)):
        return f"must have at most {shape['maxLength']} characters"
    return None


__all__ = ["Declared", "query_violations"]
