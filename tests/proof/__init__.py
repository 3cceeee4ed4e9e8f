"""Proofs: what the platform promises, under faults at random and at length; short forms of them run with the tests."""
