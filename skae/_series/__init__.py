"""Series and streams: rows in the order of time."""
