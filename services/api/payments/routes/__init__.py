"""Routes of payment intents."""
