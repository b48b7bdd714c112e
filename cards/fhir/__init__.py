"""FHIR: the shapes that records send, each read in one place.

What a concept says (`concept`), where a reference leads (`reference`) and what is known of a
result's specimen (`specimen`); no other module opens their
elements.
"""

from cards.fhir.concept import Code, read_codes, status_of, words_of
from cards.fhir.reference import Target, read_reference
from cards.fhir.specimen import Specimen, not_blood, read_specimen

__all__ = [
    "Code",
    "Specimen",
    "Target",
    "not_blood",
    "read_codes",
    "read_reference",
    "read_specimen",
    "status_of",
    "words_of",
]
