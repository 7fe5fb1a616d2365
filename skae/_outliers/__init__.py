"""Outlier detection: scores, thresholds and explanations."""
