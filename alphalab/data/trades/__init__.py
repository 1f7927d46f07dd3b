"""Single trades, and bars made of them."""
