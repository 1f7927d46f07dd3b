"""`Bars`: made of tables, joined with events, adjusted and resampled."""
