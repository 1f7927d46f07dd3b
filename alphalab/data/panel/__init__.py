"""Bars, and what makes, joins and changes them."""
