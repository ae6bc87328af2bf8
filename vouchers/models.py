"""Vouchers, benefits and subscriptions have their tables here; they come with their own issue."""
