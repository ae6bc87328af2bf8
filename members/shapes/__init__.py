"""Shapes that the interfaces of this app and of those above it share."""
