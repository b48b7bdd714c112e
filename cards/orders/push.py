"""Push: whether a dosage says that it is pushed (method, route or text)."""

from __future__ import annotations

import re

from cards.fhir import words_of
from cards.fhir.resource import Dosage

_PUSH = re.compile(
    r"(?:ivpush|ivp|bolus|push)\b"
)  # in lower case; no \b first: it is found quicker so
# "do not give this as an IV push": the words between the denial and "IV".
_NOT = re.compile(
    r"\b(?:not?|never|avoid|without)\b(?:[^\w;]{1,20}\w{1,40}){0,3}[^\w;]{0,20}"
    r"(?:\b(?:i\.?v\.?|intravenous)\W{0,3})?\Z"
)
_BEFORE = 60  # characters that are looked back at
_DENIED = 100  # so many times denied in one text is no denial


def is_push(dosage: Dosage, *, timed: bool = False) -> bool:
    """Whether a FHIR Dosage states a push that its own words do not deny. In a text beside a
    stated time (``timed``) the word is none: the time tells (ruling 125)."""
    texts = [] if timed else [dosage.text, dosage.patientInstruction]
    for concept in (dosage.method, dosage.route):
        if concept is not None:
            texts += words_of(concept)
    return any(says_push(text) for text in texts if text)


def says_push(text: str) -> bool:
    """``2 g IV push``; not ``do not push``."""
    text = text.lower()
    denied = 0
    for match in _PUSH.finditer(text):
        start = match.start()
        if start and (text[start - 1].isalnum() or text[start - 1] == "_"):
            continue  # the end of another word
        if denied == _DENIED or not _NOT.search(text[max(start - _BEFORE, 0) : start]):
            return True
        denied += 1
    return False
