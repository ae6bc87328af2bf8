"""Shapes of bodies that interfaces and jobs share."""
