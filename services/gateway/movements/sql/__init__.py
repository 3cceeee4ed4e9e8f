"""The SQL of movements: the `statement` as it is kept, `payouts`, and how far each list was read (`readings`)."""
