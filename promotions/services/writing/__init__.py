"""Promotions as they are written, tested, judged and approved."""
