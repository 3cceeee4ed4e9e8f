"""Pages to print: a heading, what it is about, and tables."""

from collections.abc import Iterable, Sequence
from html import escape


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table with its title."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in rows)
    body = body or f'<tr><td colspan="{len(columns)}">None.</td></tr>'
    return f"<h2>{escape(title)}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def page(title: str, lines: Iterable[tuple[str, str]], parts: Iterable[str]) -> bytes:
    """Write a page: its title, lines of a name and a value, and parts that are HTML."""
    about = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in lines)
    body = "\n".join((f"<h1>{escape(title)}</h1>", f"<dl>{about}</dl>", *parts))
    return _PAGE.format(title=escape(title), body=body).encode()


_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 11pt sans-serif; margin: 2em; }}
table {{ border-collapse: collapse; width: 100%; page-break-inside: avoid; }}
th, td {{ border-bottom: 1px solid #999; padding: 2px 6px; text-align: right; font-variant-numeric: tabular-nums; }}
th:first-child, td:first-child {{ text-align: left; }}
dt {{ float: left; clear: left; width: 10em; }}
</style></head>
<body>
{body}
</body>
</html>
"""
