"""The SQL of integrity: seals and chains, findings, and what the api published of payments."""
