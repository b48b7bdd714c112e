"""FHIR as it is read: resources and instants, only the elements that the logic uses.

What a concept says (`concept`), where a reference leads (`reference`) and what is known of a
result's specimen (`specimen`); no other module opens their elements.
"""

from cards.fhir.concept import Code, read_class, read_codes, sent_codes, status_of, words_of
from cards.fhir.reference import Target, key_of, medication_reference, read_reference, target_of
from cards.fhir.specimen import Handling, Origin, not_blood, read_handling, read_origin

__all__ = [
    "Code",
    "Handling",
    "Origin",
    "Target",
    "key_of",
    "medication_reference",
    "not_blood",
    "read_class",
    "read_codes",
    "read_handling",
    "read_origin",
    "read_reference",
    "sent_codes",
    "status_of",
    "target_of",
    "words_of",
]
