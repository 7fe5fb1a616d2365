"""The autoencoders as scikit-learn estimators."""
