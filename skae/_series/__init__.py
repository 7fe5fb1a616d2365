"""Outliers in long series and in streams."""
