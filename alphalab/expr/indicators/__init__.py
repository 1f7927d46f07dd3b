"""Indicators of chart analysis, composed of operators; a name is one readable formula."""
