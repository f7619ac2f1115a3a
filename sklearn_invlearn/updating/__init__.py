"""``partial_fit`` and warm starts."""
