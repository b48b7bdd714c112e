"""Card: the JSON a CDS Hooks client gets, and the FHIR resources it suggests."""

from cards.card.render import response_json
from cards.card.validate import faults

__all__ = ["faults", "response_json"]
