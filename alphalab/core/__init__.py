"""The one program: strategy, engine and the step that every driver shares."""
