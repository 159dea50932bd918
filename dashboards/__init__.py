"""The Dash application. It knows a serving folder with snapshots, and nothing of how they are made."""
