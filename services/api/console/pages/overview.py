"""The first page: what goes on, and what needs somebody."""

from services.api.console.declared import Page, View
from services.api.console.visits import Visit


async def show(visit: Visit) -> View:
    """Show the newest payments."""
    found = await visit.read("listPaymentIntents", pageSize="10")
    return View(template="overview.html", values={"payments": found["data"]})


OVERVIEW = Page(key="overview", title="Overview", needs="listPaymentIntents", group="", show=show, letter="o")
