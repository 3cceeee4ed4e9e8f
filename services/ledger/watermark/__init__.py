"""The instant before which nothing is recorded any more: what was read up to it stays as it was read."""

from services.ledger.watermark.commands import LAG, Watermark

__all__ = ["LAG", "Watermark"]
