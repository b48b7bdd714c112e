"""Cards shown, and feedback."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shown",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("card", sa.Text, nullable=False),
        sa.Column("suggestions", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("rules", sa.Text, nullable=False),
        sa.Column("findings", sa.Text, nullable=False),
        sa.Column("indicator", sa.Text, nullable=False),
        sa.Column("band", sa.Text),
        sa.Column("alarms", sa.Text, nullable=False),
        sa.Column("patient", sa.LargeBinary(32), nullable=False),
        sa.Column("result", sa.LargeBinary(32)),
        sa.Column("protocol", sa.Text, nullable=False),
        sa.Column("protocol_hash", sa.Text, nullable=False),
        sa.Column("software", sa.Text, nullable=False),
        sa.Column("correlation", sa.Text, nullable=False),
    )
    op.create_index("shown_patient", "shown", ["patient", "at"])
    op.create_index("shown_card", "shown", ["card"])
    op.create_index("shown_correlation", "shown", ["correlation"])
    op.create_index("shown_at", "shown", ["at"])
    op.create_table(
        "feedback",
        sa.Column("client", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("card", sa.Text, primary_key=True),
        sa.Column("outcome", sa.Text, primary_key=True),
        sa.Column("outcome_at", sa.BigInteger, primary_key=True),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("standing", sa.Text, nullable=False),
        sa.Column("suggestions", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("correlation", sa.Text, nullable=False),
    )
    op.create_index("feedback_card", "feedback", ["card"])
    op.create_index("feedback_received", "feedback", ["received"])
