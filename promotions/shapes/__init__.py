"""Shapes of bodies and answers that interfaces and jobs share."""
