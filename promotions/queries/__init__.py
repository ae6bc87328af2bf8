"""Reads of promotions."""

from promotions.queries.evaluations import awards_of, products_by_sku, recompute

__all__ = ["awards_of", "products_by_sku", "recompute"]
