"""Tokens that were used."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "used_token",
        sa.Column("key", sa.LargeBinary(32), primary_key=True),
        sa.Column("expires", sa.Double, nullable=False),
    )
    op.create_index("used_token_expires", "used_token", ["expires"])
