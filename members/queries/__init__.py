"""Reads of the members app."""

from members.queries.references import resolve

__all__ = ["resolve"]
