"""From a source through quality into the store."""
