"""Training: from an environment to policies that are measured, counted and exported."""
