"""Protocol: the clinical numbers and words, read once from a TOML file into frozen types."""

from cards.protocol.model import (
    CLASSES,
    FLAGS,
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
from cards.protocol.remarks import check
from cards.protocol.sheet import show
from cards.protocol.starter import template

__all__ = [
    "CLASSES",
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
    "build_protocol",
    "check",
    "parse_protocol",
    "shipped",
    "show",
    "template",
]
