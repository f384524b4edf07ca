"""install the job queue

pgqueuer brings its own tables, enum and trigger. They are rendered by the pinned library, so that
they are what its code expects; a newer library that wants other tables gets a migration of its own.

Revision ID: 0002
Revises: 0001
Created: 2026-11-21 09:10 UTC
"""

from alembic import op
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _statements(script: str) -> list[str]:
    """Split a script at semicolons that end a line outside ``$$``; asyncpg takes one at a time."""
    statements: list[str] = []
    lines: list[str] = []
    inside_body = False
    for line in script.splitlines():
        if line.count("$$") % 2:
            inside_body = not inside_body
        lines.append(line)
        if line.rstrip().endswith(";") and not inside_body:
            statements.append("\n".join(lines).strip())
            lines = []
    return [statement for statement in statements if statement]


def upgrade() -> None:
    """Install what the library renders."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    for statement in _statements(QueryBuilderEnvironment().build_install_query()):
        op.execute(statement)


def downgrade() -> None:
    """Remove it, queued jobs included."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    for statement in _statements(QueryBuilderEnvironment().build_uninstall_query()):
        op.execute(statement)
