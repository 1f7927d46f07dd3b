"""Commands that bring data into a store, check it and show it."""
