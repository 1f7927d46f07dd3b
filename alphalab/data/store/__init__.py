"""The store: versioned, point-in-time Delta Lake tables, and the bars read from them."""
