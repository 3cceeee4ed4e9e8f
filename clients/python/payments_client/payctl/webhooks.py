"""`payctl webhooks`."""

import click

from payments_client import Client, Webhook, models
from payments_client.generated.examples import EVENTS
from payments_client.payctl.commands import again, answered, command, first, given, limited, register
from payments_client.payctl.listening import received
from payments_client.payctl.triggering import triggered

_DELIVERY = ("id", "event_type", "status", "created_at", "next_attempt_at", "end_reason")


@click.group()
def webhooks() -> None:
    """Register endpoints, see what was sent to them, and receive it here."""


@command(webhooks, "list", example="payctl webhooks list", columns=("id", "url", "is_active", "events"))
def list_(client: Client) -> object:
    """List endpoints."""
    return client.list_webhooks()


@command(webhooks, "create", example="payctl webhooks create https://merchant.example/hooks --event payment.settled")
@click.argument("url")
@click.option("--event", "events", multiple=True, help="A type of event; give it again for others; none: all.")
@again
def create(client: Client, *, url: str, events: tuple[str, ...], idempotency_key: str | None) -> object:
    """Register an endpoint; its secret is shown this once."""
    body = models.CreateWebhook(url=url, events=list(events) or ["*"])
    return client.create_webhook(body, idempotency_key=idempotency_key)


@command(webhooks, "deliveries", example="payctl webhooks deliveries --status FAILED", columns=_DELIVERY)
@click.option("--endpoint", help="To this endpoint alone.")
@click.option("--status", help="Those of one status.")
@limited
def deliveries(client: Client, *, endpoint: str | None, status: str | None, limit: int) -> object:
    """List what was sent, newest first, and what became of it."""
    if endpoint is None:
        return first(client.iterate_all_webhook_deliveries(status=status), limit)
    return first(client.iterate_webhook_deliveries(endpoint, status=status), limit)


@command(webhooks, "replay", example="payctl webhooks replay $ENDPOINT --since 2026-01-01T00:00:00Z --dry-run")
@click.argument("endpoint")
@click.option("--since", help="What was sent at or after this instant.")
@click.option("--event", "events", multiple=True, help="Of these types.")
@click.option("--dry-run", is_flag=True, help="Count them, and send nothing.")
@again
def replay(
    client: Client,
    *,
    endpoint: str,
    since: str | None,
    events: tuple[str, ...],
    dry_run: bool,
    idempotency_key: str | None,
) -> object:
    """Send to an ENDPOINT again."""
    body = models.ReplayWebhook(**given(since=since, event_types=list(events) or None, dry_run=dry_run or None))
    return client.replay_webhook(endpoint, body, idempotency_key=idempotency_key)


@command(webhooks, "test", example="payctl webhooks test $ENDPOINT")
@click.argument("endpoint")
@again
def test(client: Client, *, endpoint: str, idempotency_key: str | None) -> object:
    """Send a test event to an ENDPOINT."""
    return client.test_webhook(endpoint, idempotency_key=idempotency_key)


@click.option(
    "--secret", envvar="PAYCTL_WEBHOOK_SECRET", required=True, help="whsec_ or whpk_; else PAYCTL_WEBHOOK_SECRET."
)
@click.option("--port", type=click.IntRange(0, 65_535), default=4242, show_default=True, help="0: a free one.")
@click.option("--count", type=click.IntRange(1), help="End after so many; none: go on until you interrupt it.")
@click.option(
    "--seconds",
    type=click.IntRange(0),
    default=300,
    show_default=True,
    help="With --count: end when no webhook has arrived for so long.",
)
def listen(*, secret: str, port: int, count: int | None, seconds: int, as_json: bool) -> None:
    """Print the webhooks that arrive on a port of this machine; what is not signed by the platform is refused."""
    try:
        webhook = Webhook(secret)
    except ValueError as malformed:
        raise click.ClickException(str(malformed)) from None
    answered(
        lambda: received(webhook, port=port, count=count, seconds=seconds),
        columns=("timestamp", "type", "id", "data"),
        as_json=as_json,
    )


register(webhooks, "listen", listen, example="payctl webhooks listen --port 4242 --secret $SECRET")


def _members(_: click.Context, __: click.Parameter, given_: tuple[str, ...]) -> dict[str, str]:
    """Read each NAME=VALUE."""
    pairs = [text.partition("=") for text in given_]
    wrong = [name for name, sign, _ in pairs if not (name and sign)]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is not NAME=VALUE")
    return {name: value for name, _, value in pairs}


@click.argument("event_type", metavar="EVENT", type=click.Choice(sorted(EVENTS)))
@click.option("--url", default="http://127.0.0.1:4242", show_default=True, help="Where your receiver is.")
@click.option("--secret", envvar="PAYCTL_WEBHOOK_SECRET", required=True, help="whsec_; else PAYCTL_WEBHOOK_SECRET.")
@click.option(
    "--data", "members", multiple=True, callback=_members, help="NAME=VALUE of its data; give it again for others."
)
def trigger(*, event_type: str, url: str, secret: str, members: dict[str, str], as_json: bool) -> None:
    """Send a receiver of yours any EVENT of the catalogue, signed with its secret; the platform knows nothing of it."""
    answered(
        lambda: triggered(event_type, url=url, secret=secret, members=members),
        columns=("id", "type", "status"),
        as_json=as_json,
    )


register(
    webhooks,
    "trigger",
    trigger,
    example="payctl webhooks trigger payment.settled --secret $SECRET --data payment_intent_id=$PAYMENT",
)
