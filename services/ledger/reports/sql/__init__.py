"""The SQL of reports: from the report views, and from the books themselves."""
