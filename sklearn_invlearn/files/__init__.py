"""Fitted recommenders in files and pickles."""
