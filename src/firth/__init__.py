"""Firth."""
