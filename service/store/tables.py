"""Tables: what the newest migration leaves in the database (service/store/migrations).

Of a patient nothing is kept that a copied file would tell: ids are keyed hashes, free text is
sealed (service.memory.pseudonym). Times are microseconds since 1970.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

metadata = MetaData()
# SQLite numbers rows by itself only in an INTEGER.
_ROW = BigInteger().with_variant(Integer(), "sqlite")

used_token = Table(
    "used_token",
    metadata,
    # SHA-256 over issuer and jti: fixed size, and nothing of the token is kept.
    Column("key", LargeBinary(32), primary_key=True),
    # Seconds since 1970, after which the token is refused for its age anyway.
    Column("expires", Double, nullable=False),
    Index("used_token_expires", "expires"),
)

shown = Table(
    "shown",
    metadata,
    # Rows are only added: a call that is repeated has the same card, and another correlation id.
    Column("id", _ROW, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("card", Text, nullable=False),
    Column("suggestions", Text, nullable=False),  # uuids, comma-separated
    Column("state", Text, nullable=False),  # shown, hushed, shadow
    Column("client", Text, nullable=False),  # issuer; "" in open mode
    Column("tenant", Text, nullable=False),  # as the clients file names it, else a keyed hash
    Column("service", Text, nullable=False),
    Column("rule", Text, nullable=False),  # as people know it
    Column("rules", Text, nullable=False),  # all on the card, comma-separated
    Column("findings", Text, nullable=False),  # JSON: [[rule, keyed hash of the draft], …]
    Column("indicator", Text, nullable=False),
    Column("band", Text),  # what the deciding result acts as
    Column("alarms", Text, nullable=False),  # stops and flags that hold, comma-separated
    Column("patient", LargeBinary(32), nullable=False),  # keyed hash
    Column("result", LargeBinary(32)),  # keyed hash; none: it has no id
    Column("protocol", Text, nullable=False),  # name and version
    Column("protocol_hash", Text, nullable=False),
    Column("software", Text, nullable=False),
    Column("correlation", Text, nullable=False),
    Index("shown_patient", "patient", "at"),
    Index("shown_card", "card"),
    Index("shown_correlation", "correlation"),
    Index("shown_at", "at"),
)

feedback = Table(
    "feedback",
    metadata,
    # A repeat is the same item of the same client: another's cannot take its place.
    Column("client", Text, primary_key=True),
    Column("tenant", Text, primary_key=True),
    Column("card", Text, primary_key=True),
    Column("outcome", Text, primary_key=True),
    Column("outcome_at", BigInteger, primary_key=True),
    Column("received", BigInteger, nullable=False),
    Column("service", Text, nullable=False),
    # known, foreign (shown to another client) or unknown, when it was received.
    Column("standing", Text, nullable=False),
    Column("suggestions", Text, nullable=False),  # uuids of those accepted, comma-separated
    Column("reason", Text),  # one of ours, or "client's own": that one is in `sealed`
    Column("sealed", LargeBinary),  # comment and the client's own reason, encrypted
    Column("correlation", Text, nullable=False),
    Index("feedback_card", "card"),
    Index("feedback_received", "received"),
)

unrecognised = Table(
    "unrecognised",
    metadata,
    Column("id", _ROW, primary_key=True),
    # Keyed hash over client, tenant, kind and all that was sent.
    Column("key", LargeBinary(32), nullable=False),
    Column("client", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("kind", Text, nullable=False),
    # As sent when it has the shape of a code, else as `text`.
    Column("system", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("unit", Text, nullable=False),
    # As sent, shortened, once enough patients had it; a keyed hash ("#…") until then; "" for none.
    Column("text", Text, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("patients", Integer, nullable=False),  # different ones, counted up to enough
    Column("seen", LargeBinary, nullable=False),  # their keyed hashes; none once there are enough
    Column("at", BigInteger, nullable=False),  # last
    Index("unrecognised_key", "key", unique=True),
    Index("unrecognised_at", "client", "at"),
)
