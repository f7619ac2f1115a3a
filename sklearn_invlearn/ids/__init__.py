"""Ids as they come in: columns, codes, frames. No torch."""
