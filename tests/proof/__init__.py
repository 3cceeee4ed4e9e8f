"""Proofs: random histories, long runs and faults, each checked against everything that must hold afterwards."""
