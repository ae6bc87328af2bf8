"""Shapes of answers that the interface and the webhooks share."""
