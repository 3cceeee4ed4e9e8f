"""`python -m deploy.fake_stripe --port 12111`: run the stand-in until it is stopped.

With `--webhook-url` an endpoint for all events is registered with the account of `--api-key`, and its secret printed.
`docs/fake-stripe.md` tells what it does and what not.
"""

import argparse
import asyncio
import signal

import msgspec

from deploy.fake_stripe.controls import change_settings
from deploy.fake_stripe.server import running_fake_stripe
from deploy.fake_stripe.webhooks import create_endpoint

_DAY = 86_400


async def _serve(arguments: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    async with running_fake_stripe(
        port=arguments.port,
        latency_seconds=arguments.latency_seconds,
        behind_seconds=arguments.days_ago * _DAY,
    ) as fake:
        print(f"STRIPE_API_BASE={fake.url}", flush=True)
        if arguments.payouts != "manual":
            change_settings(fake.account(arguments.api_key), msgspec.json.encode({"payouts": arguments.payouts}))
        if arguments.webhook_url:
            params = {"url": arguments.webhook_url, "enabled_events": ["*"]}
            endpoint = create_endpoint(fake.account(arguments.api_key), params)
            print(f"STRIPE_SECRET_KEY={arguments.api_key}")
            print(f"STRIPE_WEBHOOK_SECRETS={endpoint['secret']}", flush=True)
        await stopped.wait()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=12_111)
    parser.add_argument("--latency-seconds", type=float, default=0.0)
    parser.add_argument("--api-key", default="sk_test_demo")
    parser.add_argument("--webhook-url", default="")
    parser.add_argument("--payouts", choices=("manual", "daily"), default="manual", help="when money goes to the bank")
    parser.add_argument("--days-ago", type=int, default=0, help="how far in the past its clock starts")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
