"""The update of every operator, and the block loops that call it."""
