"""The loop that every queue worker runs, and what it needs: settlement, leases, shutdown, health."""
