"""Data quality: rules that find data errors, and the verdict that results state."""
