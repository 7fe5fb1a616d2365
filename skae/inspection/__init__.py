"""Displays of what a model has learned and found, by scikit-learn's rules."""
