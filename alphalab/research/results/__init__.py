"""Results: the record of a run, its metrics, tables, pictures, report and exports."""
