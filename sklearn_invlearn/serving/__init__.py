"""What a fitted recommender does: predict, annotate, rank, explain."""
