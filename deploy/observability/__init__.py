"""How the platform is watched: recording rules, alerts, service levels, dashboards. YAML and JSON, partly written from here."""
