"""All Transaction and its void: several postings as one unit."""
