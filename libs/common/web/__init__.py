"""HTTP that every service has: health, metrics, problem details, correlation, documentation."""
