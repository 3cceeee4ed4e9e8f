"""Private native instances of PostgreSQL, Redis and RabbitMQ: own ports, own data folders, own users, loopback only."""

from deploy.local.layout import Layout
from deploy.local.native import postgres, rabbitmq, redis
from deploy.local.records import Server


def start(layout: Layout, name: str, *, port: int) -> Server:
    """Start one of the three on a port; return when it answers.

    Raises:
        LocalFailure: when it is not installed or does not answer in time.
    """
    match name:
        case "postgres":
            return postgres.start(layout, port=port)
        case "redis":
            return redis.start(layout, port=port)
        case _:
            return rabbitmq.start(layout, port=port)


def stop(name: str, server: Server, *, keep_data: bool) -> None:
    """End one of the three."""
    match name:
        case "postgres":
            postgres.stop(server, keep_data=keep_data)
        case "redis":
            redis.stop(server)
        case _:
            rabbitmq.stop(server, keep_data=keep_data)


def wipe(layout: Layout) -> None:
    """Remove the data of all three."""
    postgres.wipe(layout)
    redis.wipe(layout)
    rabbitmq.wipe(layout)
