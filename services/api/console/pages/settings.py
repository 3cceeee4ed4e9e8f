"""Settings: tenants, features, the audit log, and disturbances on a developer's machine."""

from services.api.console.declared import Act, Column, Detail, Filter, Kind, Listing, Page, View
from services.api.console.showing import buttons_of
from services.api.console.visits import Visit

_TENANT = {"tenant_id": "id"}
_CHANGE_TENANT = Act(operation="putTenant", title="Change", path=_TENANT)

AUDIT = Page(
    key="audit",
    title="Audit log",
    needs="listAudit",
    group="Settings",
    show=Listing(
        operation="listAudit",
        filters=(
            Filter(name="actor", title="Who"),
            Filter(name="action", title="Action, or its beginning with a dot"),
            Filter(name="target", title="On what"),
            Filter(name="outcome", title="Outcome", choices=("success", "failed", "denied", "requested", "unknown")),
            Filter(name="correlation_id", title="Correlation ID"),
            Filter(name="from", title="From", kind="date"),
            Filter(name="to", title="To", kind="date"),
        ),
        columns=(
            Column(member="at", title="At", kind=Kind.TIME),
            Column(member="actor", title="Who"),
            Column(member="action", title="Action"),
            Column(member="target", title="On what", is_minor=True),
            Column(member="outcome", title="Outcome", kind=Kind.STATE),
            Column(
                member="correlation_id",
                title="Correlation ID",
                link="/console/requests?correlation_id={correlation_id}",
                is_minor=True,
            ),
            Column(member="detail", title="Detail", kind=Kind.JSON, is_minor=True),
        ),
        empty="Nothing like this is in the log. Clear the filters.",
        is_exported=True,
    ),
    letter="y",
)

TENANTS = Page(
    key="tenants",
    title="Tenants",
    needs="listTenants",
    group="Settings",
    show=Listing(
        operation="listTenants",
        columns=(
            Column(member="name", title="Name", link="/console/tenants/{id}"),
            Column(member="status", title="Status", kind=Kind.STATE),
            Column(member="plan", title="Plan"),
            Column(member="region", title="Region"),
            Column(member="origin", title="Known from", is_minor=True),
            Column(member="id", title="ID", kind=Kind.CODE, is_minor=True),
        ),
        acts=(Act(operation="putTenant", title="New tenant"),),
        row_acts=(_CHANGE_TENANT,),
        empty="No tenant is known yet. Make one with New tenant.",
    ),
    one=Detail(
        operation="getTenant",
        parameter="tenant_id",
        title="name",
        fields=(
            Column(member="status", title="Status", kind=Kind.STATE),
            Column(member="plan", title="Plan"),
            Column(member="region", title="Region"),
            Column(member="origin", title="Known from"),
            Column(member="id", title="ID", kind=Kind.CODE),
        ),
        acts=(_CHANGE_TENANT,),
    ),
    letter="n",
)

FEATURES = Page(
    key="features",
    title="Features",
    needs="listFeatureFlags",
    group="Settings",
    show=Listing(
        operation="listFeatureFlags",
        columns=(
            Column(member="name", title="Feature"),
            Column(member="description", title="Description"),
            Column(member="is_enabled", title="Switched on", kind=Kind.FLAG),
            Column(member="source", title="Set for", kind=Kind.STATE),
        ),
        row_acts=(
            Act(operation="setFeatureFlag", title="Change", path={"name": "name"}),
            Act(
                operation="clearFeatureFlag",
                title="As it is by default",
                path={"name": "name"},
                when=("source", ("tenant", "global")),
            ),
        ),
        empty="There is no feature to switch.",
    ),
)


async def show_disturbances(visit: Visit) -> View:
    """Show how the tenant's requests are disturbed.

    Raises:
        Refused: when the API refuses to tell.
    """
    chosen = await visit.read("getChaos")
    columns = (
        Column(member="enabled", title="Switched on", kind=Kind.FLAG),
        Column(member="latency_ms", title="Milliseconds that each request waits", kind=Kind.COUNT),
        Column(member="fail_percent", title="Of a hundred requests fail", kind=Kind.COUNT),
    )
    acts = (Act(operation="putChaos", title="Change"),)
    return View(
        template="thing.html",
        values={"columns": columns, "thing": chosen, "buttons": await buttons_of(visit, acts, chosen)},
    )


DISTURBANCES = Page(
    key="disturbances", title="Disturbances", needs="getChaos", group="Settings", show=show_disturbances
)
