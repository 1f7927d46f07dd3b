"""Times, session calendars, and rows a year."""
