"""Reads of vouchers, benefits and subscriptions."""
