"""Measurements, each beside its baseline in the same run: `python -m bench` prints them all as one table."""
