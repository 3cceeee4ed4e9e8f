"""Payments through a tenant's own account at a fake Stripe, over one platform for all modules."""
