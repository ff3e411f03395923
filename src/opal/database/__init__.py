"""State: SQLite on a laptop, PostgreSQL in Azure, one set of tables and one guarded way to move items."""
