"""Proofs that take minutes: run on purpose, with a short form among the tests."""
