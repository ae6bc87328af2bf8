"""Stored evaluations: tried again with a draft, and replayed."""
