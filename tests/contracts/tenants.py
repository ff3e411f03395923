"""The tenants of the contracts' database."""

TENANT, OTHER = "acme", "globex"
