"""Migrations of the store's schema: one file a step in ``versions/``, never changed once released.

A step must be possible while an older version still runs against the database: add, fill, and
only a release later remove.
"""
