"""What `fit` is made of: checks, training data, module, device, progress."""
