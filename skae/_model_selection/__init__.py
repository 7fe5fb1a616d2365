"""Many models at once: searches, and ``fit_many``."""
