"""Matching: REST for rules of sources, lines of statements and what they belong to, which the gateway owns."""
