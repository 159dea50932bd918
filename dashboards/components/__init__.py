"""Parts of pages: texts and values in, Dash components out. Nothing here reads a snapshot."""
