"""FHIR: the shapes that records send, each read in one place.

What a concept says (`concept`) and where a reference leads (`reference`); no other module opens
their elements.
"""

from cards.fhir.concept import Code, read_codes, status_of, words_of
from cards.fhir.reference import Target, read_reference

__all__ = ["Code", "Target", "read_codes", "read_reference", "status_of", "words_of"]
