"""Logits of many pairs: in blocks, of the best items, of neighbours."""
