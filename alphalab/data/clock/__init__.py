"""Times, calendars, and how many rows make a year."""
