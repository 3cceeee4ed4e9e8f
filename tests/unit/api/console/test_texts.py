"""Texts of the console: every one that it shows in English has its words in the other languages."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jinja2 import Environment, nodes

import services.api.console
from services.api.console.declared import Act, Column, Filter, Listing, Page, Panel, titled
from services.api.console.forms import fields_of
from services.api.console.operations import Operations
from services.api.console.pages import GROUPS, PAGES
from services.api.console.pages.developers import catalogue
from services.api.console.texts import language, offered
from services.api.console.values import BAD, GOOD, WAITING
from services.api.http.problems import PROBLEMS
from services.api.routing import document, resources

CONSOLE = Path(services.api.console.__file__).parent
WRITTEN = {"title", "empty", "label"}
"""Arguments of declarations and views that are texts."""
PLACEHOLDER = re.compile(r"\{\w+\}")


@cache
def operations() -> Operations:
    """Every operation, with those of a developer's machine."""
    offered_ = resources(is_local=True)
    return Operations(offered_, lambda: document(offered_))


def of_templates() -> Iterator[str]:
    """Yield what templates show by `t`."""
    for path in sorted((CONSOLE / "templates").glob("*.html")):
        tree = Environment(autoescape=True).parse(path.read_text())
        for call in tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name in {"t", "label"} and call.args:
                of = str if call.node.name == "t" else titled
                yield from (of(const.value) for const in constants(call.args[0]))
        for loop in tree.find_all(nodes.For):
            if isinstance(loop.iter, nodes.Tuple):
                yield from texts_of_loop(loop.iter)


def constants(node: nodes.Node) -> Iterator[nodes.Const]:
    """Yield the texts that an expression may be."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node
    elif isinstance(node, nodes.CondExpr):
        yield from constants(node.expr1)
        if node.expr2 is not None:
            yield from constants(node.expr2)
    elif isinstance(node, nodes.Or):
        yield from (*constants(node.left), *constants(node.right))


def texts_of_loop(found: nodes.Tuple) -> Iterator[str]:
    """Yield what a loop goes through: pairs of a value and its text, or names of members."""
    for item in found.items:
        if isinstance(item, nodes.Tuple) and isinstance(item.items[-1], nodes.Const):
            yield str(item.items[-1].value)
        elif isinstance(item, nodes.Const) and isinstance(item.value, str):
            yield titled(item.value)


def of_modules() -> Iterator[str]:
    """Yield the texts in the console's code: arguments of declarations, and what is looked up by `text`."""
    for path in sorted(CONSOLE.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call):
                continue
            if isinstance(call.func, ast.Attribute) and call.func.attr == "text" and call.args:
                yield from strings(call.args[0])
            if ast.unparse(call.func) in {"_refused", "Answer.problem"}:
                yield from strings(call.args[2])
            for argument in call.keywords:
                if argument.arg in WRITTEN:
                    yield from strings(argument.value)


def strings(node: ast.expr) -> Iterator[str]:
    """Yield the texts that an expression may be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*strings(node.body), *strings(node.orelse))


def of_declarations(declared: Any) -> Iterator[str]:
    """Yield the texts of a page's declaration, those that are made from names too."""
    match declared:
        case Column():
            yield declared.name
        case Filter():
            yield from (declared.label, *declared.choices)
        case Page() | Act():
            yield declared.title
        case Panel():
            yield from (declared.title, declared.empty)
        case Listing():
            yield declared.empty
    if isinstance(declared, msgspec.Struct):
        for value in msgspec.structs.asdict(declared).values():
            for one in value if isinstance(value, tuple) else (value,):
                yield from of_declarations(one)


def of_operations() -> Iterator[str]:
    """Yield what forms show of operations: their names, their fields, what these are about, and choices."""
    for operation in operations():
        if operation.is_reading or operation.declaration.is_binary:
            continue
        yield operation.summary
        yield from (titled(name) for name in operation.parameters)
        for field in fields_of(operations(), operation):
            yield from (titled(field.name), field.help, *field.choices)


def english() -> set[str]:
    """Return every text that the console may show; what has no word in it needs no other."""
    found = {
        *of_templates(),
        *of_modules(),
        *(text for page in PAGES for text in of_declarations(page)),
        *of_operations(),
        *(kind.meaning() for kind in PROBLEMS.values()),
        *(event.summary for event in catalogue().values()),
        *GROUPS,
        *GOOD,
        *BAD,
        *WAITING,
    }
    return {text for text in found if re.search(r"[^\W\d_]{2}", text)}


@pytest.mark.parametrize("code", sorted(set(offered()) - {"en"}))
def test_every_text_has_its_words_in_each_language(code: str) -> None:
    known = language(code).catalogue

    assert sorted(english() - known.keys()) == []


@pytest.mark.parametrize("code", offered())
def test_a_translation_has_the_same_values_in_it(code: str) -> None:
    differing = {
        text: found
        for text, found in language(code).catalogue.items()
        if sorted(PLACEHOLDER.findall(text)) != sorted(PLACEHOLDER.findall(found))
    }

    assert differing == {}
