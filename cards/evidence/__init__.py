"""Evidence: what was obtained about a patient, what was not, and since when it was known."""

from cards.evidence.answered import Answered
from cards.evidence.coded import has_code_shape
from cards.evidence.evidence import Evidence, Gap, SetAside, Unread, collect
from cards.evidence.need import NEED, NEED_OF_LAB, NEED_OF_TYPE, NEEDS, Need, title_of
from cards.evidence.place import Places
from cards.evidence.unrecognised import MOST_UNRECOGNISED, Unrecognised, each_once, unrecognised_as
from cards.evidence.whose import Whose, read_whose

__all__ = [
    "MOST_UNRECOGNISED",
    "NEED",
    "NEEDS",
    "NEED_OF_LAB",
    "NEED_OF_TYPE",
    "Answered",
    "Evidence",
    "Gap",
    "Need",
    "Places",
    "SetAside",
    "Unread",
    "Unrecognised",
    "Whose",
    "collect",
    "each_once",
    "has_code_shape",
    "read_whose",
    "title_of",
    "unrecognised_as",
]
