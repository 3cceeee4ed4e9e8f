"""The notifier: sends merchants signed webhooks about their payments.

It owns the webhook endpoints of every tenant, the messages as they are sent, one delivery per event and endpoint, and
every attempt at it. It subscribes to all public events of the api, in packs, answers the api's requests about endpoints,
deliveries and replays, and publishes only that an endpoint fails or was switched off.
"""
