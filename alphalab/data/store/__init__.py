"""The store: versioned Delta Lake tables of what was known when, and what is read out of them."""
