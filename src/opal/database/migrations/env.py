"""Run by Alembic: applies the revisions over the connection that ``opal.database.migrate`` opened."""

from alembic import context

from opal.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
