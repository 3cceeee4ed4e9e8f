"""The tables of the ledger, and the migrations that made them."""
