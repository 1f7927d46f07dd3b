"""The update of every operator, and the blocks that loop over it."""
