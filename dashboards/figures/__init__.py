"""Pure functions from a frame (or plain values) to a figure; shared by the pages and the reports."""
