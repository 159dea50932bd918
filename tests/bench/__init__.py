"""Measurements. `make bench` runs them and prints JSON; every figure stands beside its baseline of the same run."""
