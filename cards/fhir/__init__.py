"""FHIR as it is read: resources and instants, only the elements that the logic uses.

What a concept says (`concept`) and where a reference leads (`reference`) is read there alone; no
other module opens their elements.
"""

from cards.fhir.concept import Code, read_codes, sent_codes, status_of, words_of
from cards.fhir.reference import Target, read_reference

__all__ = ["Code", "Target", "read_codes", "read_reference", "sent_codes", "status_of", "words_of"]
