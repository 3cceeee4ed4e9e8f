"""Shared vocabulary and transport; no business rule lives here."""
