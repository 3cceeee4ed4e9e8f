"""Webhook endpoints, deliveries and replays: REST for what the notifier owns."""
