"""Orders: the question of one hook call, and what a drafted or active order says.

Everything here reads tolerantly: an order whose dose, unit or route cannot be read is
incomplete, never wrong (D0).
"""

from cards.orders.dosage import DoseLine, read_dosage
from cards.orders.given import Given, read_given
from cards.orders.identity import Identity, identify
from cards.orders.order import DraftOrder, read_order
from cards.orders.orders import Drafted, Orders, read_drafts, relevant, selected
from cards.orders.premix import is_bag

__all__ = [
    "DoseLine",
    "DraftOrder",
    "Drafted",
    "Given",
    "Identity",
    "Orders",
    "identify",
    "is_bag",
    "read_dosage",
    "read_drafts",
    "read_given",
    "read_order",
    "relevant",
    "selected",
]
