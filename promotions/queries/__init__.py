"""Reads of promotions."""

from promotions.queries.evaluations import (
    awards_again,
    awards_of,
    first_awards,
    first_rewards,
    inputs_of,
    products_by_sku,
    recompute,
    rewards_again,
)

__all__ = [
    "awards_again",
    "awards_of",
    "first_awards",
    "first_rewards",
    "inputs_of",
    "products_by_sku",
    "recompute",
    "rewards_again",
]
