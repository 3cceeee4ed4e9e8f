"""The tables of the notifier, and the migrations that made them."""
