"""Routes of identity and of feature flags."""
