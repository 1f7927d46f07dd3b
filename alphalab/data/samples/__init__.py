"""Data that comes with installed packages, and synthetic data."""
