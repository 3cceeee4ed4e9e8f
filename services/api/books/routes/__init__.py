"""Routes of the books, a file for each resource."""
