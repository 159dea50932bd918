"""Models: frames in, frames out.

Belongs here: estimates that SQL cannot make, as functions of polars frames and numpy arrays, with their quality. Does not
belong here: reading or writing (no files, no database), the clock, the order of the night.
"""
