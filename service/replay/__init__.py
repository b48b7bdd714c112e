"""Replay: what a protocol would have done to the patients of an export, decision by decision."""
