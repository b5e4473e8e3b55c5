"""Compacted tile formats: encode and decode whole batches of tiles."""
