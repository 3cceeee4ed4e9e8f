"""`payctl`: the Payments API in a terminal. Needs `pip install 'payments-client[payctl]'`."""
