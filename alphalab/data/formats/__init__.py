"""Bytes and foreign tables to checked rows; nothing here knows Bars."""
