"""billing-service: what a tenant has and has spent."""
