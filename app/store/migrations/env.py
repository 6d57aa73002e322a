"""What Alembic runs for every command: it works on the connection it is handed, inside that one's transaction."""

from alembic import context

from app.store.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
