"""The notifier: tells merchants, by signed webhooks, what happened to their payments.

It owns the webhook endpoints of every tenant, the messages as they are sent, one delivery per event and endpoint, and
every attempt at it.

It hears all public events of the api, in packs, and answers the api's requests about endpoints and deliveries.
Its voice is the HTTPS request to the merchant; on the broker it only says that an endpoint fails or was switched off.
"""
