"""FHIR servers for tests: ``raw`` misbehaves as told; ``server.mjs`` is one written by others."""
