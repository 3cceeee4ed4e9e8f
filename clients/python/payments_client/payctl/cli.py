"""All commands of `payctl`."""

import click

from payments_client.payctl import access, dead_letters, ledger, payments, reconciliation, webhooks


@click.group()
def payctl() -> None:
    """Take payments, follow them into the books, and receive their events.

    Log in first, or set PAYCTL_URL, PAYCTL_KEY and, for operators, PAYCTL_TENANT. Lists are tables in a terminal and
    tab-separated where they are piped; `--json` shows all that the API answers.
    """


for group in (
    *(payments.payments, ledger.ledger, ledger.holds, reconciliation.reconciliation, webhooks.webhooks),
    dead_letters.dead_letters,
    *(access.keys, access.tenants, access.users, access.login, access.logout, access.password, access.me),
):
    payctl.add_command(group)
