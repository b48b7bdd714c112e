"""Protocol: the clinical numbers and words, read once from a TOML file into frozen types."""

from cards.protocol.anchors import anchor, cited_anchor
from cards.protocol.flags import FLAGS
from cards.protocol.model import (
    CLASSES,
    ESTIMATES,
    LOW,
    ActsAs,
    Band,
    Followup,
    Indicator,
    Limit,
    Option,
    Product,
    Regimen,
    Renal,
    Rule,
    Stop,
    When,
)
from cards.protocol.parse import (
    PROFILES,
    Protocol,
    ProtocolError,
    build_protocol,
    parse_protocol,
    shipped,
)
from cards.protocol.said import said
from cards.protocol.words import fill

__all__ = [
    "CLASSES",
    "ESTIMATES",
    "FLAGS",
    "LOW",
    "PROFILES",
    "ActsAs",
    "Band",
    "Followup",
    "Indicator",
    "Limit",
    "Option",
    "Product",
    "Protocol",
    "ProtocolError",
    "Regimen",
    "Renal",
    "Rule",
    "Stop",
    "When",
    "anchor",
    "build_protocol",
    "cited_anchor",
    "fill",
    "parse_protocol",
    "said",
    "shipped",
]
