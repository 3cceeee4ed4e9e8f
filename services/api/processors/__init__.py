"""Processor accounts, attempts and events: REST for what the gateway owns."""
