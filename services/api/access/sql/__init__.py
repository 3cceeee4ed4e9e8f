"""The SQL of access: `identity` for tenants, users and policies, `flags` for what tenants may use."""
