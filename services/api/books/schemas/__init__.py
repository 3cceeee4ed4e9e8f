"""Bodies of the books, a file for each resource."""
