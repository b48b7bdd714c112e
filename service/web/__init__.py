"""Web: the routes for machines, and what stands before them."""
