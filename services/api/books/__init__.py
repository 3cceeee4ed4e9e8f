"""The books: REST for what the ledger owns."""
