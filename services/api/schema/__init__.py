"""The tables of the api, and the migrations that made them."""
