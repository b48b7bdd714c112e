"""Units: numbers with a unit, and the few conversions that are certain."""
