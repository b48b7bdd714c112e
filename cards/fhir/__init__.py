"""FHIR as it is read: resources and instants, only the elements that the logic uses."""
