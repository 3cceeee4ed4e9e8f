"""Pages as they are declared: which operations of the API they show, in which columns, and what can be done from them."""

import re
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from services.api.console.visits import Visit

HIDDEN = "hidden"
"""The group of pages that the menu does not have."""


class Kind(StrEnum):
    """How a value is shown."""

    TEXT = "text"
    CODE = "code"
    """An identifier, in figures of one width, with a button that copies it."""
    MONEY = "money"
    """An amount of the row's currency."""
    TIME = "time"
    STATE = "state"
    """A word of a closed list, with a colour."""
    FLAG = "flag"
    COUNT = "count"
    LIST = "list"
    AMOUNTS = "amounts"
    """Several amounts, each with its own currency."""
    ROWS = "rows"
    """Rows of their own, which open below their number."""
    JSON = "json"


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a thing."""

    member: str
    """The member of the API's answer; of a nested object, with a dot."""
    title: str = ""
    """Empty: made from the member's name."""
    kind: Kind = Kind.TEXT
    currency: str = "currency"
    """Of an amount, the member that has its currency."""
    link: str = ""
    """Where it leads, with members in braces: `/console/payments/{id}`."""
    is_minor: bool = False
    """Whether a narrow screen leaves it out."""
    tones: Mapping[str, str] = {}
    """Of a state, the colours of words that mean something else here than elsewhere."""
    columns: tuple["Column", ...] = ()
    """Of rows, what they show."""

    @property
    def name(self) -> str:
        """Its title, as it is looked up in the reader's language."""
        return self.title or titled(self.member.rsplit(".", 1)[-1])


YES_OR_NO = {"true": "yes", "false": "no"}
"""What the choices of a flag are called."""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter of a list, that is part of the page's address."""

    name: str
    title: str = ""
    choices: tuple[str, ...] = ()
    """Empty: any text."""
    names: Mapping[str, str] = {}
    """What choices are called, where that is something else."""
    kind: str = "text"
    """Of the input: text, date or month."""
    default: str = ""
    """What is sent where the address names none."""
    required: bool = False
    """Whether nothing is shown before it is chosen."""

    @property
    def label(self) -> str:
        """Its title, as it is looked up in the reader's language."""
        return self.title or titled(self.name)


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """A button that leads to the form of an operation."""

    operation: str
    title: str
    path: Mapping[str, str] = {}
    """The parameters of the path, and what its form has already, by the member of the thing that has them."""
    fill: Mapping[str, str] = {}
    """What its form has already, as it is."""
    when: tuple[str, tuple[str, ...]] | None = None
    """A member and the values with which it is offered."""
    is_danger: bool = False
    """Whether it takes something away."""
    page: str = ""
    """A page of its own that leads to the operation; empty: the form that is made from the operation's body."""
    query: Mapping[str, str] = {}
    """What the form has in it at first: fields, by the member of the thing that has their value."""


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """A table on the page of one thing."""

    title: str
    columns: tuple[Column, ...]
    operation: str = ""
    """What it is read by; empty: it is a member of the thing."""
    member: str = ""
    """The member of the answer that has the rows; empty: the answer itself, or its `data`."""
    path: Mapping[str, str] = {}
    """The parameters of the path, by the member of the thing that has them."""
    query: Mapping[str, str] = {}
    """The parameters of the query, by the member of the thing that has them."""
    empty: str = "Nothing yet."
    acts: tuple[Act, ...] = ()
    """What can be done with each row."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A page with the rows that one operation answers."""

    operation: str
    columns: tuple[Column, ...]
    filters: tuple[Filter, ...] = ()
    member: str = ""
    """The member of the answer that has the rows; empty: the answer itself, or its `data`."""
    fixed: Mapping[str, str] = {}
    """Parameters that are always sent."""
    acts: tuple[Act, ...] = ()
    """What can be done from the page."""
    row_acts: tuple[Act, ...] = ()
    """What can be done with each row."""
    empty: str = "Nothing yet."
    """What an empty list says, and what to do next."""
    is_exported: bool = False
    """Whether the operation answers CSV too."""
    live: str = ""
    """The topic whose changes have the page read again; empty: none."""
    shape: "Shape | None" = None
    """What is shown of a row beyond its members; None: nothing."""
    template: str = "list.html"
    bulk: tuple[Act, ...] = ()
    """What can be done with several rows at once: operations whose path has the row's `id` and no other parameter."""
    file: tuple[Column, ...] | None = None
    """The columns of a file with all rows, that the console makes page by page; None: there is none."""


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """A page of one thing."""

    operation: str
    parameter: str
    """The parameter of the operation's path that the page's address has."""
    title: str
    """The member that names the thing."""
    fields: tuple[Column, ...]
    panels: tuple[Panel, ...] = ()
    acts: tuple[Act, ...] = ()
    query: Mapping[str, str] = {}
    """Parameters that are always sent."""
    live: str = ""
    """The topic whose changes have the page read again."""
    template: str = "detail.html"


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What a page shows: a template, and what it is filled with."""

    template: str
    values: Mapping[str, Any]
    title: str = ""
    """Beyond the page's own."""
    leads_to: str = ""
    """Another page, which is shown instead."""


type Shape = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Returns a row with what is computed from it."""
type Show = Callable[[Visit], Awaitable[View]]
"""Makes what a page shows."""
type Send = Callable[[Visit, Mapping[str, str]], Awaitable[View | str]]
"""Does what a form of the page requests; returns what is shown, or the address to go to."""
type ShowOne = Callable[[Visit, str], Awaitable[View | None]]
"""The same for the page of the one thing that the address names; None where there is no such thing."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page, at `/console/<key>`, and `/console/<key>/<id>` for one of its things."""

    key: str
    title: str
    needs: str
    """The operation that whoever sees the page may carry out."""
    group: str = ""
    """Where the menu has it; `HIDDEN`: nowhere."""
    show: Listing | Show | None = None
    one: Detail | ShowOne | None = None
    send: Send | None = None
    """Takes the page's own forms, sent to its address; None: it has none."""
    letter: str = ""
    """The key that leads here after `g`."""


def member_of(thing: Any, name: str) -> Any:
    """Return a member of an answer, of nested objects with dots; None where there is none."""
    for step in name.split("."):
        thing = thing.get(step) if isinstance(thing, dict) else None
    return thing


_ACRONYMS = {
    "id": "ID",
    "ids": "IDs",
    "url": "URL",
    "ip": "IP",
    "pix": "Pix",
    "csv": "CSV",
    "cnpj": "CNPJ",
    "cpf": "CPF",
}


def titled(member: str) -> str:
    """Make a title from the name of a member: `customer_ref` is `Customer reference`, `shipping.city` is `Shipping: city`."""
    *parents, last = member.split(".")
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", last).removesuffix("_at").replace("_ref", "_reference").split("_")
    title = " ".join(_ACRONYMS.get(word.lower(), word.lower()) for word in words if word)
    title = title[:1].upper() + title[1:]
    if not parents:
        return title
    return f"{titled(parents[-1])}: {title if title[1:2].isupper() else title[:1].lower() + title[1:]}"
