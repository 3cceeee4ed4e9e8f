"""Routes of customers, and of what processors keep of them."""
