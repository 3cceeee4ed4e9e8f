"""Measurements: run by `just bench*`, never asserted in a test."""
