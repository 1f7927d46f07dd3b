"""Readers of files and tables; nothing here imports `Bars`."""
