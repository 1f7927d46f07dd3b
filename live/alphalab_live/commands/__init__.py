"""``alphalab live``: its commands, found by the command line through an entry point."""
