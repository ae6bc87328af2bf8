"""Tiers by rules: measures, the ladder, reviews and overrides."""
