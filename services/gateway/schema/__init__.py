"""The tables of the gateway, and the migrations that made them."""
