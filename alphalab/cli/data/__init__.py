"""What brings data into a store, checks it and shows it."""
