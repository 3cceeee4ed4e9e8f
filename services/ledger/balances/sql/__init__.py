"""The SQL of balances: by record, and by effective time."""
