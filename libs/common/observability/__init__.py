"""How we are watched: correlation and trace context, JSON logs, Prometheus metrics."""
