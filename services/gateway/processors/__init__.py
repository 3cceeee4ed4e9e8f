"""Payment processors behind one port: Stripe, and a sandbox that moves no money."""
