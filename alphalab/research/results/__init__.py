"""A result: what was recorded, its figures, tables, plots, pages and exports."""
