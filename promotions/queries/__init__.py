"""Reads of promotions."""

from promotions.queries.evaluations import (
    awards_again,
    awards_of,
    first_awards,
    inputs_of,
    products_by_sku,
    recompute,
)

__all__ = [
    "awards_again",
    "awards_of",
    "first_awards",
    "inputs_of",
    "products_by_sku",
    "recompute",
]
