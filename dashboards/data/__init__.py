"""Questions to a published snapshot. Knows a serving folder and nothing of how it came to be."""
