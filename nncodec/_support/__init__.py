"""Small helpers that all rooms share; none of them handles images."""
