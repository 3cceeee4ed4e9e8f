"""The SQL of sealed changes and signed heads."""
