"""From a source into the store: read, repair, check, write."""
