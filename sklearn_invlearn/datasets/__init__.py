"""Data sets: a generator with known truth, MovieLens, and your own ratings file."""

from ._movielens import fetch_movielens
from ._ratings_file import load_ratings
from ._synthetic import make_sparse_feedback

__all__ = ["fetch_movielens", "load_ratings", "make_sparse_feedback"]
