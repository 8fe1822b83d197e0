"""Small helpers that every room shares; nothing here knows what an image is."""
