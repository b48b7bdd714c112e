"""Alembic's environment: it runs on the connection, and in the transaction, of service.store."""

from alembic import context

from service.store import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite can do it, too; alembic's default for it is from a time when its driver could not.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
