"""The estimators: what each procedure asks of `fit`, and the order of things in it."""
