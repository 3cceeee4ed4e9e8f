"""The local machine room: private servers, supervised services, the demo and the smoke checks.

`python -m deploy.local <command>` is the command line; `deploy.local.servers` is the Python interface that the tests use.
Everything it starts lives under `.local/` of the checkout and listens on 127.0.0.1 only.
"""
