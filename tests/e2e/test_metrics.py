"""What the four services show to Prometheus after payments: the documented names and labels, and no label without a bound."""

import asyncio
import re

from prometheus_client.parser import text_string_to_metric_families

from deploy.local import metric_page
from deploy.local.bootstrap import SERVICES
from tests.support.platform import Client, Platform

OF_THE_CLIENT = ("process_", "python_")
"""What the Python client adds by itself."""
UNBOUNDED = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}|[0-9]{6}|@|//")
"""What a label has when it holds an id, an instant, an address."""


async def _scraped(platform: Platform, service: str) -> list[tuple[str, dict[str, str]]]:
    async with platform.http.get(platform.base(service) + "/metrics") as answer:
        assert answer.status == 200
        families = text_string_to_metric_families(await answer.text())
        return [(sample.name, sample.labels) for family in families for sample in family.samples]


async def test_services_show_what_the_page_names_and_nothing_else(platform: Platform, operator: Client) -> None:
    intent = await operator.create("21.00")
    assert (await operator.confirm(intent["id"])).status in {200, 202}
    await operator.settled(intent["id"])
    await operator.call("GET", "/v1/payment-intents/00000000-0000-0000-0000-000000000000")
    pages = metric_page.known()
    wrong = []
    found = await asyncio.gather(*(_scraped(platform, service) for service in SERVICES))
    for service, samples in zip(SERVICES, found, strict=True):
        known = {metric.name: metric for who in (metric_page.COMMON, service) for metric in pages[who]}
        seen = set()
        for name, labels in samples:
            if name.startswith(OF_THE_CLIENT):
                continue
            bare = re.sub(r"_(bucket|sum|count)$", "", name)
            created = re.sub(r"_created$", "", name)
            metric = next((known[one] for one in (name, bare, created, f"{created}_total") if one in known), None)
            if metric is None:
                wrong.append(f"{service} shows {name}, which the page does not name")
                continue
            seen.add(metric.name)
            if labels.keys() - {"le"} != set(metric.labels):
                wrong.append(f"{service}: {name} has the labels {sorted(labels)}")
            wrong += [f"{service}: {name} of {text}" for text in labels.values() if UNBOUNDED.search(text)]
        unlabelled = {name for name, metric in known.items() if not metric.labels}
        wrong += [f"{service} does not show {name}" for name in unlabelled - seen]
    assert wrong == []
